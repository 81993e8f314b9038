/** Multipart bodies whose parts are decided: read whole, understood part by part, and written anew. */

import { createHash } from 'node:crypto'
import type { Value } from '../domain/access-request.ts'
import type { BodySpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { type Keys, refuse } from './body-fields.ts'
import { createMultipartGuard } from './multipart-guard.ts'
import { readPartHead } from './part-head.ts'

type PartsSpec = Extract<BodySpec, { kind: 'parts' }>
type Part = { name: string; text: string }

/**
 * Files become lists of their lines, fields plain texts. Every file must be there and nothing may come twice.
 * @returns the keys, and a body with a boundary of our own that says just that
 * @throws Problem `invalid_body`, `payload_too_large`
 */
export function readParts(
  body: Buffer,
  spec: PartsSpec,
  boundary: string,
): { keys: Keys; bytes: Buffer; sentAs: string } {
  boundLines(body)
  const keys = new Map<string, Value>()
  for (const { name, text } of split(body, spec, boundary)) {
    if (keys.has(name)) refuse('A part of the body is repeated.')
    keys.set(name, spec.texts.includes(name) ? linesOf(text) : plainOf(text))
  }
  if (!spec.texts.every((name) => keys.has(name))) refuse('The body lacks a file.')
  return { keys: Object.fromEntries(keys), ...written(keys) }
}

/** Of the whole body, as many as JSON may hold values; counted before anything is made of them. */
const MAX_LINES = 20_000
const LINE_FEED = 0x0a

function boundLines(body: Buffer): void {
  let lines = 0
  for (let at = 0; at < body.length; at += 1) if (body[at] === LINE_FEED) lines += 1
  if (lines <= MAX_LINES) return
  throw new Problem('payload_too_large', { says: `The body has more than ${MAX_LINES} lines.` })
}

/** Nothing within a part, and nothing that is not UTF-8. */
const PLAIN = /^(?:text\/[\w.+-]+|application\/octet-stream) *(?:; *charset="?utf-8"?)? *$/i

/** The guard knows the grammar: what it lets pass has its boundaries at line starts, and nothing around them. */
function* split(body: Buffer, { texts, fields }: PartsSpec, boundary: string): Generator<Part> {
  const guard = createMultipartGuard({
    ...{ kind: 'multipart', boundary, files: texts, fields, products: [] },
  })
  guard.inspect(body)
  guard.end()
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  let at = delimiter.length - 2
  while (body.toString('latin1', at, at + 2) === '\r\n') {
    const headEnd = body.indexOf('\r\n\r\n', at)
    const { name, file, contentType } = readPartHead(body.toString('utf8', at + 2, headEnd))
    // An empty part's delimiter begins with the last line break of its head.
    const end = body.indexOf(delimiter, headEnd + 2)
    const known = file ? texts : fields
    const isKnown = known.includes(name) && PLAIN.test(contentType ?? 'text/plain')
    if (!isKnown) refuse('The body holds a part this route does not take.')
    yield { name, text: textOf(body.subarray(headEnd + 4, Math.max(end, headEnd + 4))) }
    at = end + delimiter.length
  }
}

function textOf(content: Buffer): string {
  try {
    // A byte order mark is kept, so that it is refused as the character it is.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    return refuse('A part of the body is not UTF-8.')
  }
}

/** Control and format characters, and all that is space to anybody. */
const ODD = /[\p{C}\p{Z}]/u

function linesOf(text: string): readonly string[] {
  const values = text.split(/\r?\n/)
  if (values.at(-1) === '') values.pop()
  if (values.length === 0 || values.some((value) => value === '' || ODD.test(value))) {
    refuse('A file of the body must hold one value a line.')
  }
  return values
}

function plainOf(text: string): string {
  return /\p{C}/u.test(text) ? refuse('A field of the body holds an odd character.') : text
}

/** The boundary is a hash of all that stands between boundaries: nobody can write it into a part. */
function written(keys: ReadonlyMap<string, Value>): { bytes: Buffer; sentAs: string } {
  const parts = [...keys].map(([name, value]) =>
    Array.isArray(value)
      ? `Content-Disposition: form-data; name="${name}"; filename="${name}.txt"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${value.join('\n')}\n\r\n`
      : `Content-Disposition: form-data; name="${name}"\r\n\r\n${String(value)}\r\n`,
  )
  const boundary = `fleetgate-${createHash('sha256').update(parts.join()).digest('hex').slice(0, 40)}`
  const text = parts.map((part) => `--${boundary}\r\n${part}`).join('')
  return {
    bytes: Buffer.from(`${text}--${boundary}--\r\n`),
    sentAs: `multipart/form-data; boundary=${boundary}`,
  }
}
