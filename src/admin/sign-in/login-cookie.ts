/** A sign-in under way, sealed into a cookie: the gate keeps nothing of it, and any replica with the key can finish it. */

import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { Secret } from '../../lib/secret.ts'
import { z } from '../../lib/shape.ts'
import type { RandomBytes } from '../../store/token-format.ts'

/** What the provider's answer is held against. */
export type Login = { state: string; nonce: string; verifier: string }

export type LoginSeal = {
  seal(login: Login, nowMs: number): string
  /** `undefined`: not sealed with this key, or too old. */
  open(sealed: string, nowMs: number): Login | undefined
}

/** How long a person may take at the provider. */
export const loginMaxAgeMs = 10 * 60_000

const keyBytes = 32
const ivBytes = 12
const tagBytes = 16
const maxSealed = 1024
const algorithm = 'aes-256-gcm'
const shape = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  atMs: z.number(),
})

/**
 * @param secret the client's, which all replicas share; a public client has none, and each replica a key of its own
 * @param bind to what the key is bound beside it: issuer and client
 */
export function createLoginSeal(
  secret: Secret | undefined,
  bind: string,
  random: RandomBytes,
): LoginSeal {
  const source = secret === undefined ? random(keyBytes) : secret.reveal()
  const info = `fleetgate sign-in under way\n${bind}`
  const key = Buffer.from(hkdfSync('sha256', source, new Uint8Array(), info, keyBytes))
  return {
    seal(login, nowMs) {
      const iv = random(ivBytes)
      const cipher = createCipheriv(algorithm, key, iv)
      const text = JSON.stringify({ ...login, atMs: nowMs })
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, sealed, cipher.getAuthTag()]).toString('base64url')
    },
    open(sealed, nowMs) {
      const opened = unseal(key, sealed)
      if (opened === undefined) return undefined
      const { atMs, ...login } = opened
      return nowMs < atMs || nowMs - atMs >= loginMaxAgeMs ? undefined : login
    },
  }
}

function unseal(key: Buffer, sealed: string): z.infer<typeof shape> | undefined {
  if (sealed.length > maxSealed) return undefined
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length <= ivBytes + tagBytes) return undefined
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), {
    authTagLength: tagBytes,
  })
  decipher.setAuthTag(bytes.subarray(-tagBytes))
  try {
    const text = [decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]
    return shape.parse(JSON.parse(Buffer.concat(text).toString()))
  } catch {
    return undefined
  }
}
