/** What a token looks like: `fg_u_<public id>_<secret>_<checksum>`, minted and taken apart. */

import { crc32 } from 'node:zlib'

/** Fills as many bytes as asked from a cryptographic source. */
export type RandomBytes = (count: number) => Uint8Array

/** `u`: API users, taken on the data port. `o`: operators, taken on the admin port. */
export type TokenKind = 'u' | 'o'

export type MintedToken = { token: string; id: string }

export type ParsedToken =
  | { result: 'ok'; id: string; kind: string }
  | { result: 'wrong_kind'; id: string; kind: string }
  | { result: 'bad_checksum' }
  | { result: 'malformed' }

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const idLength = 12
const secretLength = 32
const checksumLength = 6
const tokenLength = 'fg_u_'.length + idLength + 1 + secretLength + 1 + checksumLength
const b64token = /^[0-9A-Za-z\-._~+/]+=*$/
const ours = /^fg_/i
const shape = /^fg_([a-z])_([0-9A-Za-z]{12})_[0-9A-Za-z]{32}_([0-9A-Za-z]{6})$/

/** For secret scanners: finds tokens of every kind in any text. Source form, so that each user adds its own flags. */
export const scannerPattern = String.raw`\bfg_[a-z]_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}\b`

export function mintToken(kind: TokenKind, random: RandomBytes): MintedToken {
  const letters = randomLetters(idLength + secretLength, random)
  const id = letters.slice(0, idLength)
  const covered = `fg_${kind}_${id}_${letters.slice(idLength)}`
  return { token: `${covered}_${checksum(covered)}`, id }
}

/** A public id for a token that has none of its own. */
export function mintId(random: RandomBytes): string {
  return randomLetters(idLength, random)
}

/** What may be a token of the cloud: RFC 6750's letters, of a length that can be a secret, and none of the gate's own. */
export function couldBeCloudToken(token: string): boolean {
  return token.length >= 16 && token.length <= 512 && b64token.test(token) && !ours.test(token)
}

/** Reads no store and does the same small work for any input: what has not the one right length is not looked at. */
export function parseToken(token: string, expected: TokenKind): ParsedToken {
  if (token.length !== tokenLength) return { result: 'malformed' }
  const [, kind, id, sum] = shape.exec(token) ?? []
  if (kind === undefined || id === undefined || sum === undefined) return { result: 'malformed' }
  if (checksum(token.slice(0, -checksumLength - 1)) !== sum) return { result: 'bad_checksum' }
  return { result: kind === expected ? 'ok' : 'wrong_kind', id, kind }
}

function checksum(covered: string): string {
  let rest = crc32(covered)
  let sum = ''
  for (let digit = 0; digit < checksumLength; digit++) {
    sum = alphabet.charAt(rest % 62) + sum
    rest = Math.floor(rest / 62)
  }
  return sum
}

/** Six bits of a byte give 64 values; the two beyond the alphabet are thrown away, so that no letter is likelier. */
function randomLetters(count: number, random: RandomBytes): string {
  let letters = ''
  for (let round = 0; round < 32; round++) {
    for (const byte of random(count)) {
      const letter = alphabet[byte & 63]
      if (letter !== undefined) letters += letter
      if (letters.length === count) return letters
    }
  }
  throw new Error('The source of randomness is broken: it keeps giving the same bytes.')
}
