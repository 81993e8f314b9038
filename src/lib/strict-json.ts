/** JSON that means the same to every parser: duplicate keys, lossy numbers, deep nesting and `__proto__` are refused. */

/** Says what is wrong in a public sentence. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault'
}

const MAX_DEPTH = 32
const MAX_KEYS = 10_000
/** Of keys and of lists, at any depth: each costs many times its bytes once it is parsed. */
const MAX_VALUES = 20_000

/**
 * @returns the parsed value; `text` re-serialised from it means the same (RFC 8259 §4, RFC 7493 §2)
 * @throws JsonFault
 */
export function parseStrictJson(body: Buffer): unknown {
  const text = decodeUtf8(body)
  boundValues(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new JsonFault('The body is not JSON.', { cause })
  }
  scan(text)
  return value
}

function decodeUtf8(body: Buffer): string {
  try {
    // A byte order mark is kept, so that JSON.parse refuses it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch (cause) {
    throw new JsonFault('The body is not UTF-8.', { cause })
  }
}

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_MAP = 0x7b
const CLOSE_MAP = 0x7d

/** Before anything is made of it, whether it is JSON or not: what no string holds is counted by the character. */
function boundValues(text: string): void {
  let values = 1
  /** Nothing but space since a bracket opened: what comes is the first value in it, unless it closes. */
  let isFirst = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code <= SPACE) continue
    const isClosing = code === CLOSE_LIST || code === CLOSE_MAP
    if (code === COMMA || (isFirst && !isClosing)) {
      values += 1
      if (values > MAX_VALUES) throw new JsonFault('The body holds too many values.')
    }
    isFirst = code === OPEN_LIST || code === OPEN_MAP
    if (code === QUOTE) at = endOfString(text, at)
  }
}

const NUMBER = /-?\d[\d.eE+-]*/y

/** Walks text that is known to be valid JSON: only strings, numbers and brackets matter. */
function scan(text: string): void {
  const number = new RegExp(NUMBER)
  const open: (Set<string> | undefined)[] = []
  let keys = 0
  /** Of the last string: what stands before a colon. */
  let from = 0
  let to = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      from = at
      at = to = endOfString(text, at)
    } else if (code === OPEN_MAP || code === OPEN_LIST) {
      if (open.length >= MAX_DEPTH) throw new JsonFault('The body is nested too deeply.')
      open.push(code === OPEN_MAP ? new Set() : undefined)
    } else if (code === CLOSE_MAP || code === CLOSE_LIST) {
      open.pop()
    } else if (code === COLON) {
      if (++keys > MAX_KEYS) throw new JsonFault('The body has too many keys.')
      addKey(text.slice(from, to + 1), open.at(-1))
    } else if (code === MINUS || isDigit(code)) {
      number.lastIndex = at
      const [token = ''] = number.exec(text) ?? []
      requireExact(token)
      at += token.length - 1
    }
  }
}

function addKey(quoted: string, known: Set<string> | undefined): void {
  const key: unknown = quoted.includes('\\') ? JSON.parse(quoted) : quoted.slice(1, -1)
  if (known === undefined || typeof key !== 'string') return
  if (known.has(key)) throw new JsonFault('A key of the body appears twice.')
  if (key === '__proto__') throw new JsonFault('A key of the body is reserved.')
  known.add(key)
}

/** Not by a pattern, which a long one exhausts. What never ends, ends with the text. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  if (end === -1) return text.length
  if (text.charCodeAt(end - 1) !== BACKSLASH) return end
  end = start + 1
  while (end < text.length && text.charCodeAt(end) !== QUOTE) {
    end += text.charCodeAt(end) === BACKSLASH ? 2 : 1
  }
  return end
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

/** A number that a double cannot hold would be sent on as another number. */
function requireExact(token: string): void {
  const number = Number(token)
  const whole = /^-?\d+$/.test(token)
  if (!Number.isFinite(number) || (whole && !Number.isSafeInteger(number))) {
    throw new JsonFault('A number of the body is out of range.')
  }
}
