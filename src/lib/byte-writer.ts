/** Puts bytes together out of many small parts. */

/** Shorter parts are copied faster by hand than by a call. */
const short = 64

export class ByteWriter {
  #bytes: Buffer
  #length = 0

  /** @param expected how many bytes; there may be more */
  constructor(expected: number) {
    this.#bytes = Buffer.allocUnsafeSlow(expected)
  }

  byte(code: number): void {
    this.#makeRoom(1)
    this.#bytes[this.#length] = code
    this.#length += 1
  }

  copy(from: Buffer, start: number, end: number): void {
    this.#makeRoom(end - start)
    const bytes = this.#bytes
    let to = this.#length
    if (end - start > short) from.copy(bytes, to, start, end)
    else for (let at = start; at < end; at += 1, to += 1) bytes[to] = from[at] ?? 0
    this.#length += end - start
  }

  text(text: string): void {
    const part = Buffer.from(text)
    this.copy(part, 0, part.length)
  }

  /** All so far; its memory goes on being written to. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #makeRoom(length: number): void {
    const needed = this.#length + length
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(needed * 2)
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
