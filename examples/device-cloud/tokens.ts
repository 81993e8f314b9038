/** Who holds which token, and since when it no longer counts. */
import { randomBytes } from 'node:crypto'

export interface Principal {
  readonly kind: 'user' | 'api_user' | 'client' | 'customer'
  readonly name: string
  /** The products it reaches; null means all of them. */
  readonly products: ReadonlySet<number> | null
  /** The scopes it was given; null means it is not limited by scopes. */
  readonly scopes: ReadonlySet<string> | null
  readonly client: string
  readonly expiresAt: Date | null
}

export class Tokens {
  readonly #holders = new Map<string, Principal>()
  readonly #watchers: ((token: string) => void)[] = []

  issue(principal: Principal, token = randomBytes(20).toString('hex')): string {
    this.#holders.set(token, principal)
    return token
  }

  holderOf(token: string): Principal | undefined {
    const holder = this.#holders.get(token)
    const expired = holder?.expiresAt && holder.expiresAt.getTime() <= Date.now()
    return expired ? undefined : holder
  }

  revoke(token: string): void {
    if (!this.#holders.delete(token)) return
    for (const watcher of this.#watchers) watcher(token)
  }

  onRevoke(watcher: (token: string) => void): void {
    this.#watchers.push(watcher)
  }
}
