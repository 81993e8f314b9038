/** Cookies of a sign-in: their names and what they are set with, by how people reach the admin port. */

export type SignInCookies = {
  /** Holds the token of a session. */
  session: string
  /** Holds a sign-in that is under way. */
  login: string
  /** Value of a Set-Cookie header. */
  set(name: string, value: string, maxAgeS: number): string
  clear(name: string): string
}

/** @param redirectUri https, or http on a loopback address, where browsers take no `Secure` cookie and so no prefix */
export function cookiesFor(redirectUri: string): SignInCookies {
  const isSecure = new URL(redirectUri).protocol === 'https:'
  // The prefix keeps neighbours under the same domain from setting it (draft-ietf-httpbis-rfc6265bis §4.1.3.2).
  const prefix = isSecure ? '__Host-' : ''
  const ending = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
  const set: SignInCookies['set'] = (name, value, maxAgeS) =>
    `${name}=${value}; Max-Age=${maxAgeS}; ${ending}`
  return {
    session: `${prefix}fleetgate`,
    login: `${prefix}fleetgate-login`,
    set,
    clear: (name) => set(name, '', 0),
  }
}
