/** The head of one part of a multipart body: what every reader must understand alike, and nothing else. */

import { Problem } from '../domain/problem.ts'

export type PartHead = { name: string; file: boolean; contentType?: string }

const knownHeaders: ReadonlySet<string> = new Set([
  'content-disposition',
  'content-type',
  'content-transfer-encoding',
  'content-length',
])

/** @throws Problem `invalid_body` */
export function readPartHead(text: string): PartHead {
  let part: PartHead | undefined
  let contentType: string | undefined
  const seen = new Set<string>()
  for (const line of text.split('\r\n')) {
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    if (/[\u0000-\u001f\u007f\ufffd]/.test(line)) throw malformed('a control character')
    const match = /^([A-Za-z-]+): *(.*)$/.exec(line)
    const name = match?.[1]?.toLowerCase() ?? ''
    if (!knownHeaders.has(name) || seen.has(name)) throw malformed('an odd part header')
    seen.add(name)
    const value = match?.[2] ?? ''
    if (name === 'content-disposition') part = readDisposition(value)
    if (name === 'content-type') contentType = value
    if (name === 'content-transfer-encoding' && !/^(7bit|8bit|binary)$/i.test(value)) {
      throw malformed('an encoded part')
    }
  }
  if (part === undefined) throw malformed('a part without a name')
  return contentType === undefined ? part : { ...part, contentType }
}

/** `form-data; name="…"; filename="…"`: nothing escaped, nothing twice, nothing else (RFC 7578 §4.2). */
function readDisposition(value: string): PartHead {
  const match =
    /^form-data *; *name=(?:"([^"\\]+)"|([\w.-]+)) *(; *filename=(?:"[^"]*"|[\w.-]+) *)?$/i.exec(
      value,
    )
  const name = match?.[1] ?? match?.[2]
  // A backslash before the closing quote is an escape to some and a character to others.
  if (name === undefined || /\\" *$/.test(value)) throw malformed('an odd content disposition')
  return { name, file: match?.[3] !== undefined }
}

export function malformed(cause: string): Problem {
  return new Problem('invalid_body', { cause })
}
