/** An origin for tests, from its URL. */

import { parseHttpOrigin, type HttpOrigin } from '../../src/lib/http-url.ts'

export function anOrigin(url: string): HttpOrigin {
  const parsed = parseHttpOrigin(url)
  if (!parsed.ok) throw new Error(parsed.says)
  return parsed.origin
}
