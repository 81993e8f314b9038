/** The gate's own credential never leaves: an upstream that echoes requests is masked (T17). */

export type Redactor = {
  /** What may go on of this piece; only a possible beginning of the credential at its end is held back. */
  push(chunk: Buffer): Buffer
  /** What was held back, when nothing follows. */
  flush(): Buffer
}

const mask = 0x2a
const nothing = Buffer.alloc(0)

/** The mask has the credential's length, so that a stated Content-Length stays true. */
export function redactWhole(body: Buffer, credential: string): Buffer {
  if (credential === '' || body.length < credential.length) return body
  let at = body.indexOf(credential)
  if (at === -1) return body
  const length = Buffer.byteLength(credential)
  const masked = Buffer.from(body)
  while (at !== -1) {
    masked.fill(mask, at, at + length)
    at = masked.indexOf(credential, at + length)
  }
  return masked
}

export function createRedactor(credential: string): Redactor {
  const needle = Buffer.from(credential)
  let held: Buffer = nothing

  return {
    push(chunk) {
      const joined = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      const clean = redactWhole(joined, credential)
      const keep = beginningAtEnd(clean, needle)
      held = keep === 0 ? nothing : clean.subarray(clean.length - keep)
      return keep === 0 ? clean : clean.subarray(0, clean.length - keep)
    },
    flush() {
      const rest = held
      held = nothing
      return rest
    },
  }
}

/** Length of the longest proper beginning of the needle that the text ends with. */
function beginningAtEnd(text: Buffer, needle: Buffer): number {
  for (let size = Math.min(needle.length - 1, text.length); size > 0; size -= 1) {
    if (text.compare(needle, 0, size, text.length - size) === 0) return size
  }
  return 0
}
