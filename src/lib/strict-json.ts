/** JSON that means the same to every parser: duplicate keys, lossy numbers, deep nesting and `__proto__` are refused. */

/** Says what is wrong in a public sentence. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault'
}

const MAX_DEPTH = 32
const MAX_KEYS = 10_000

/**
 * @returns the parsed value; `text` re-serialised from it means the same (RFC 8259 §4, RFC 7493 §2)
 * @throws JsonFault
 */
export function parseStrictJson(body: Buffer): unknown {
  const text = decodeUtf8(body)
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

const TOKEN = /["{}[\]:]|-?\d[\d.eE+-]*/g

/** Walks text that is known to be valid JSON: only strings, numbers and brackets matter. */
function scan(text: string): void {
  const open: (Set<string> | undefined)[] = []
  let keys = 0
  let before = ''
  for (const token of tokens(text)) {
    if (token === '{' || token === '[') {
      if (open.length >= MAX_DEPTH) throw new JsonFault('The body is nested too deeply.')
      open.push(token === '{' ? new Set() : undefined)
    } else if (token === '}' || token === ']') {
      open.pop()
    } else if (token === ':') {
      const known = open.at(-1)
      const key: unknown = JSON.parse(before)
      if (known === undefined || typeof key !== 'string') continue
      if (known.has(key)) throw new JsonFault('A key of the body appears twice.')
      if (key === '__proto__') throw new JsonFault('A key of the body is reserved.')
      if (++keys > MAX_KEYS) throw new JsonFault('The body has too many keys.')
      known.add(key)
    } else if (!token.startsWith('"')) {
      requireExact(token)
    }
    before = token
  }
}

/** Strings are walked by hand: as a pattern, a long one exhausts the stack. */
function* tokens(text: string): Generator<string> {
  const pattern = new RegExp(TOKEN)
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    if (found[0] !== '"') {
      yield found[0]
      continue
    }
    let end = found.index + 1
    while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1
    yield text.slice(found.index, end + 1)
    pattern.lastIndex = end + 1
  }
}

/** A number that a double cannot hold would be sent on as another number. */
function requireExact(token: string): void {
  const number = Number(token)
  const whole = /^-?\d+$/.test(token)
  if (!Number.isFinite(number) || (whole && !Number.isSafeInteger(number))) {
    throw new JsonFault('A number of the body is out of range.')
  }
}
