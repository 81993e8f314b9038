/** Where the gate's own credentials come from: an environment variable, or a file that only its owner can read. */

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { Secret } from '../lib/secret.ts'

/** `says` continues a sentence that begins with the key's name, and never holds the value. */
export type SecretResult = { ok: true; secret: Secret } | { ok: false; says: string }

export type Environment = Readonly<Record<string, string | undefined>>

const maxBytes = 16 * 1024

export function secretFromEnvironment(name: string, env: Environment): SecretResult {
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (value === undefined) {
    return refuse(
      `names the environment variable ${name}, which is not set; set it where the gate is started, or write { file: PATH } instead`,
    )
  }
  return checked(value, `the environment variable ${name}`)
}

/** The file is checked and read through one descriptor, so that it cannot be exchanged in between. */
export function secretFromFile(path: string): SecretResult {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    return refuse(`names ${path}, which cannot be opened (${codeOf(error)})`)
  }
  try {
    const { mode, size } = fstatSync(descriptor)
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) {
      return refuse(`names ${path}, which is not a plain file`)
    }
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0')
      return refuse(`names ${path}, which others can reach (mode ${octal}); run: chmod 600 ${path}`)
    }
    if (size > maxBytes) return refuse(`names ${path}, which is too large for a credential`)
    return checked(readFileSync(descriptor, 'utf8').replace(/\r?\n$/, ''), path)
  } catch (error) {
    return refuse(`names ${path}, which cannot be read (${codeOf(error)})`)
  } finally {
    closeSync(descriptor)
  }
}

/** A credential is sent in a header: visible ASCII, one word. */
function checked(value: string, source: string): SecretResult {
  if (value === '') return refuse(`takes its value from ${source}, which is empty`)
  if (!/^[\x21-\x7e]+$/.test(value)) {
    return refuse(`takes its value from ${source}, which holds more than one word of plain letters`)
  }
  return { ok: true, secret: new Secret(value, source) }
}

function refuse(says: string): SecretResult {
  return { ok: false, says }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault'
}
