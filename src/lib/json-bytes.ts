/** JSON as bytes: what is no object or array is checked and passed over, and nothing is built of it. */

/** Not plain enough to be read so: no JSON at all, or only unusual. A whole parser tells which. */
export class NotPlain extends Error {
  override readonly name = 'NotPlain'
}

export class JsonBytes {
  /** UTF-8, which is for the caller to see to. */
  readonly text: Buffer
  /** Of the same bytes: to compare several at once. */
  readonly view: DataView
  /** Escapes passed over so far, and those of them that JSON.stringify spells in another way. */
  escapes = 0
  respelled = 0

  constructor(text: Buffer) {
    this.text = text
    this.view = new DataView(text.buffer, text.byteOffset, text.length)
  }
}

const quote = 0x22
const minus = 0x2d
const backslash = 0x5c
/** As four bytes. */
const words = { true: 0x74727565, alse: 0x616c7365, null: 0x6e756c6c }

/** Position of the first byte from here that is no white space. */
export function skipSpace(text: Buffer, from: number): number {
  let at = from
  for (;;) {
    const code = text[at]
    if (code === undefined || code > 0x20) return at
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at += 1
  }
}

/** Position after the text that begins here. @throws NotPlain */
export function skipString(json: JsonBytes, from: number): number {
  return skipText(json, from + 1)
}

/** The same from within, where no escape is cut in two. */
export function skipText(json: JsonBytes, from: number): number {
  const { text } = json
  let at = from
  for (;;) {
    const code = text[at] ?? 0
    if (code === quote) return at + 1
    if (code < 0x20) throw new NotPlain('a text without its end')
    at = code === backslash ? skipEscape(json, at + 1) : at + 1
  }
}

function skipEscape(json: JsonBytes, at: number): number {
  json.escapes += 1
  switch (json.text[at]) {
    case quote:
    case backslash:
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 1
    case 0x2f: // a slash needs none
      json.respelled += 1
      return at + 1
    case 0x75: // u
      json.respelled += 1
      return skipHex(json.text, at + 1)
    default:
      throw new NotPlain('no such escape')
  }
}

function skipHex(text: Buffer, from: number): number {
  for (let at = from; at < from + 4; at += 1) {
    const code = text[at] ?? 0
    const small = code | 0x20
    if (!isDigit(code) && !(small >= 0x61 && small <= 0x66)) throw new NotPlain('no such escape')
  }
  return from + 4
}

/** The same for a number, `true`, `false` or `null`. */
export function skipPlain(json: JsonBytes, at: number): number {
  switch (json.text[at]) {
    case 0x74:
      return skipWord(json, at, words.true)
    case 0x66:
      return skipWord(json, at + 1, words.alse)
    case 0x6e:
      return skipWord(json, at, words.null)
    default:
      return skipNumber(json.text, at)
  }
}

function skipWord({ view }: JsonBytes, at: number, word: number): number {
  if (at + 4 > view.byteLength || view.getInt32(at) !== word) throw new NotPlain('no value')
  return at + 4
}

function skipNumber(text: Buffer, from: number): number {
  let at = text[from] === minus ? from + 1 : from
  at = text[at] === 0x30 ? at + 1 : skipDigits(text, at)
  if (text[at] === 0x2e) at = skipDigits(text, at + 1)
  const code = text[at]
  if (code !== 0x65 && code !== 0x45) return at
  const sign = text[at + 1]
  return skipDigits(text, sign === 0x2b || sign === minus ? at + 2 : at + 1)
}

function skipDigits(text: Buffer, from: number): number {
  let at = from
  while (isDigit(text[at])) at += 1
  if (at === from) throw new NotPlain('no value')
  return at
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39
}
