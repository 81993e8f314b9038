/** Text of strangers made fit for a log line: bounded, without tokens, one line, nothing a terminal obeys (A05, T12). */

/** Printable ASCII without quote and backslash: needs no escaping at all. */
const plain = /^[ !#-[\]-~]*$/
/** What JSON.stringify lets through although it breaks lines, drives terminals or turns the reading direction. */
const unruly = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g
/** Our tokens, also cut short ones, and the cloud's (40 hex letters). */
const tokenShaped =
  /fg_[a-z]_[0-9A-Za-z]{12}_[0-9A-Za-z_]*|(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])/g
/** Of the cloud's tokens. */
const hexTokenLength = 40

/** A JSON string literal. */
export function quote(text: string): string {
  return plain.test(text) ? `"${text}"` : escapeUnruly(JSON.stringify(text))
}

/** Makes finished JSON safe to look at; every escape stays valid JSON. */
export function escapeUnruly(json: string): string {
  return json.replace(unruly, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** At most `max` characters of it, with a marker that says how long it was; anything token-shaped is masked first. */
export function clip(text: string, max: number): string {
  // Looking for tokens in a megabyte is not needed for its first characters, but a token may lie across the cut.
  const looked = text.length > max + 200 ? text.slice(0, max + 200) : text
  const masked = mayHoldToken(looked) ? looked.replace(tokenShaped, '[token]') : looked
  return masked.length <= max && looked === text
    ? masked
    : `${masked.slice(0, max)}…[${text.length} characters]`
}

/** Cheap to ask, and false for nearly all text. */
function mayHoldToken(text: string): boolean {
  return text.includes('fg_') || (text.length >= hexTokenLength && hasLongHex(text))
}

/** One pass: a regular expression would begin anew at every digit. */
function hasLongHex(text: string): boolean {
  let run = 0
  for (let i = 0; i < text.length && run < hexTokenLength; i++) {
    const code = text.charCodeAt(i)
    // With the bit for lower case set, A to F are a to f.
    const letter = code | 0x20
    run = (code >= 0x30 && code <= 0x39) || (letter >= 0x61 && letter <= 0x66) ? run + 1 : 0
  }
  return run >= hexTokenLength
}

/** The path of a target with the names of its query keys: values are the caller's and stay out of the log. */
export function withoutValues(target: string): string {
  const mark = target.indexOf('?')
  if (mark === -1) return target
  const keys = target
    .slice(mark + 1)
    .split('&')
    .map((pair) => pair.split('=', 1)[0] ?? '')
  return `${target.slice(0, mark)}?${keys.join('&')}`
}

/** The path alone, of a target that may be anything. */
export function pathOnly(target: string): string {
  return target.split(/[?#]/, 1)[0] ?? ''
}
