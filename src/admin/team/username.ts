/** Names of API users as the cloud makes them: what a person called it, something random, and the cloud's own domain. */

import type { RandomBytes } from '../../store/token-format.ts'

/** Of every API user that is made here; clients tell machines from people by it. */
export const USERNAME_DOMAIN = 'api.particle.io'

const maxSlug = 36
const randomLength = 10

/** As `night-build+k3v9x2m1qa@api.particle.io`; 63 characters at most. */
export function makeUsername(friendlyName: string, random: RandomBytes): string {
  const tail = [...random(randomLength)].map((byte) => (byte % 36).toString(36)).join('')
  return `${slugOf(friendlyName)}+${tail}@${USERNAME_DOMAIN}`
}

/** Whether it was made here, so that all of it can be said in the words of the team API. */
export function isMadeHere(username: string): boolean {
  return username.endsWith(`@${USERNAME_DOMAIN}`)
}

function slugOf(friendlyName: string): string {
  const slug = friendlyName
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, maxSlug + 1)
    .replaceAll(/^-|-$/g, '')
    .slice(0, maxSlug)
    .replace(/-$/, '')
  return slug === '' ? 'api-user' : slug
}
