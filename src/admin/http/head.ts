/** What is known of a request to the admin port before its body is read. */

import { Problem } from '../../domain/problem.ts'

export type Head = {
  requestId: string
  atMs: number
  method: string
  /** As it came. */
  target: string
  rawHeaders: readonly string[]
  address: string
  agent: string | undefined
}

/** Every value of a header as it was received: Node keeps only the first of some. */
export function valuesOf({ rawHeaders }: Pick<Head, 'rawHeaders'>, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}

/** @throws Problem `invalid_request` where it comes more than once */
export function valueOf(head: Pick<Head, 'rawHeaders'>, name: string): string | undefined {
  const values = valuesOf(head, name)
  if (values.length > 1) {
    throw new Problem('invalid_request', { says: `The header ${name} comes more than once.` })
  }
  return values[0]
}
