/** Puts bytes together out of many small parts. */

/** Shorter parts are copied faster by hand than by a call. */
const short = 64

export class ByteWriter {
  readonly #room: number
  #bytes: Buffer
  #length: number

  /**
   * @param expected how many bytes; there may be more
   * @param room for what goes before them in the end
   */
  constructor(expected: number, room = 0) {
    this.#room = room
    this.#bytes = Buffer.allocUnsafeSlow(room + expected)
    this.#length = room
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

  /** All, after what goes before it: copied only where that is longer than was foreseen. Nothing is written from then on. */
  finish(before: string): Buffer {
    const head = Buffer.from(before)
    const from = this.#room - head.length
    if (from < 0) return Buffer.concat([head, this.#bytes.subarray(this.#room, this.#length)])
    head.copy(this.#bytes, from)
    return this.#bytes.subarray(from, this.#length)
  }

  #makeRoom(length: number): void {
    const needed = this.#length + length
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(needed * 2)
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
