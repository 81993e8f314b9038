/** API users as the cloud keeps them: bound to one product or organization, with one token that never expires. */
import { randomInt } from 'node:crypto'
import type { Organization, Product, World } from './state.ts'
import type { Tokens } from './tokens.ts'

export interface ApiUser {
  readonly username: string
  readonly boundary: Boundary
  friendlyName: string
  scopes: string[]
  token: string
}

export type Boundary =
  | { kind: 'product'; product: Product }
  | { kind: 'organization'; organization: Organization }

export class Team {
  readonly #users = new Map<string, ApiUser>()
  readonly #invited = new Map<string, Boundary>()
  readonly #world: World
  readonly #tokens: Tokens

  constructor(world: World, tokens: Tokens) {
    this.#world = world
    this.#tokens = tokens
  }

  create(boundary: Boundary, friendlyName: string, scopes: string[]): ApiUser {
    const username = `${slugOf(friendlyName)}+${randomTail()}@api.particle.io`
    const user: ApiUser = { username, boundary, friendlyName, scopes, token: '' }
    this.#users.set(username, user)
    return this.renewToken(user)
  }

  invite(boundary: Boundary, username: string): void {
    this.#invited.set(username, boundary)
  }

  /** Other scopes mean another token; a new name alone leaves the token as it is. */
  update(user: ApiUser, changes: { friendlyName?: string; scopes?: string[] }): ApiUser {
    user.friendlyName = changes.friendlyName ?? user.friendlyName
    if (!changes.scopes) return user
    user.scopes = changes.scopes
    return this.renewToken(user)
  }

  renewToken(user: ApiUser): ApiUser {
    if (user.token !== '') this.#tokens.revoke(user.token)
    user.token = this.#tokens.issue({
      kind: 'api_user',
      name: user.username,
      products: new Set(this.#productsOf(user.boundary).map(({ id }) => id)),
      scopes: new Set(user.scopes),
      client: 'api-user',
      expiresAt: null,
    })
    return user
  }

  /** True when there was somebody to remove. */
  remove(boundary: Boundary, username: string): boolean {
    const user = this.find(boundary, username)
    if (user) {
      this.#tokens.revoke(user.token)
      return this.#users.delete(username)
    }
    const invited = this.#invited.get(username)
    return (
      invited !== undefined && sameBoundary(invited, boundary) && this.#invited.delete(username)
    )
  }

  find(boundary: Boundary, username: string): ApiUser | undefined {
    const user = this.#users.get(username)
    return user && this.#covers(boundary, user.boundary) ? user : undefined
  }

  list(boundary: Boundary): ApiUser[] {
    return [...this.#users.values()].filter((user) => this.#covers(boundary, user.boundary))
  }

  invitedTo(boundary: Boundary): string[] {
    return [...this.#invited].filter(([, to]) => sameBoundary(to, boundary)).map(([name]) => name)
  }

  /** An organization's team holds the API users of its products too. */
  #covers(outer: Boundary, inner: Boundary): boolean {
    if (outer.kind === 'organization' && inner.kind === 'product') {
      return inner.product.organization === outer.organization
    }
    return sameBoundary(outer, inner)
  }

  #productsOf(boundary: Boundary): Product[] {
    if (boundary.kind === 'product') return [boundary.product]
    return this.#world.productsOf(boundary.organization)
  }
}

function sameBoundary(one: Boundary, other: Boundary): boolean {
  if (one.kind === 'product') return other.kind === 'product' && one.product === other.product
  return other.kind === 'organization' && one.organization === other.organization
}

function slugOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}

function randomTail(): string {
  return Array.from({ length: 10 }, () => randomInt(36).toString(36)).join('')
}
