/** What the team API writes into a definition, and what it may change of one that is there. */

import { isDeepStrictEqual } from 'node:util'
import type { ApiUsersConfig } from '../../config/config.ts'
import type { Catalog } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import { didYouMean } from '../../lib/nearest.ts'
import type { ApiUserRecord } from '../api-users.ts'
import type { Definition } from '../users/definition.ts'
import type { TeamPlace } from './place.ts'
import { isMadeHere } from './username.ts'

export type TeamExpiry = ApiUsersConfig['teamApiExpiry']

/** What a client asks for; a scope stands in it once. */
export type TeamChange = { friendlyName: string | undefined; scopes: readonly string[] | undefined }

export type TeamDefinitions = {
  create(
    owner: string,
    place: TeamPlace,
    friendlyName: string,
    scopes: readonly string[],
  ): Definition
  /**
   * @returns `rights`: whether it can do other things then
   * @throws Problem `role_forbids` where its rights cannot be said in scopes alone
   */
  change(
    record: ApiUserRecord,
    change: TeamChange,
  ): { definition: Definition; rights: 'same' | 'other' }
  /** @throws Problem `invalid_scope` naming the first that the cloud does not have */
  checkScopes(scopes: readonly string[]): void
  /** @throws Problem `role_forbids` where the configuration does not say which end they get */
  requireExpiry(): void
}

export type TeamDefinitionsParts = {
  catalog: Pick<Catalog, 'resources' | 'scopes'>
  expiry: TeamExpiry
}

/** Those that the configuration can say; a date is somebody's own, and stays. */
const endKeys = ['never', 'lifetime', 'idle']

export function createTeamDefinitions({ catalog, expiry }: TeamDefinitionsParts): TeamDefinitions {
  const { product, organization, device } = catalog.resources
  const written = new Set(
    ['owner', 'description', 'scopes', product.one, organization.one, device.many].concat(endKeys),
  )

  /** Rules, roles, a date or less than all devices would be lost, or be mistaken for what its scopes say. */
  function isPlain(name: string, definition: Definition): boolean {
    return (
      isMadeHere(name) &&
      definition[device.many] === 'all' &&
      Object.keys(definition).every((key) => written.has(key))
    )
  }

  return {
    create: (owner, { kind, id }, friendlyName, scopes) => ({
      owner,
      description: friendlyName,
      [catalog.resources[kind].one]: id,
      [device.many]: 'all',
      scopes: [...scopes],
      ...endOf(expiry),
    }),
    change({ name, definition = {} }, { friendlyName, scopes }) {
      const named = friendlyName === undefined ? {} : { description: friendlyName }
      if (scopes === undefined || isSame(scopes, definition['scopes'])) {
        return { definition: { ...definition, ...named }, rights: 'same' }
      }
      if (!isPlain(name, definition)) {
        throw new Problem('role_forbids', {
          says: `The rights of ${name} are more than a list of scopes; change it by the admin API, at /api/users.`,
        })
      }
      const rest = Object.entries(definition).filter(([key]) => !endKeys.includes(key))
      const changed = { ...Object.fromEntries(rest), ...named, scopes: [...scopes] }
      return { definition: { ...changed, ...endOf(expiry) }, rights: 'other' }
    },
    checkScopes(scopes) {
      const unknown = scopes.find((scope) => !catalog.scopes.has(scope))
      if (unknown === undefined) return
      const shown = JSON.stringify(unknown.slice(0, 100))
      const hint = didYouMean(unknown.slice(0, 100), catalog.scopes.keys())
      throw new Problem('invalid_scope', { says: `Unknown scope ${shown}${hint}` })
    },
    requireExpiry() {
      if (expiry !== undefined) return
      throw new Problem('role_forbids', {
        says: 'Nobody has said which end these API users get: set api_users.team_api in the configuration to never: true, lifetime or idle.',
      })
    },
  }
}

/** The keys of a policy file for an end. Durations come from the configuration, so one unit holds each wholly. */
function endOf(expiry: TeamExpiry): Definition {
  if (expiry === undefined) return {}
  if ('never' in expiry) return { never: true }
  const { lifetimeMs, idleMs } = expiry
  return {
    ...(lifetimeMs !== undefined && { lifetime: durationText(lifetimeMs) }),
    ...(idleMs !== undefined && { idle: durationText(idleMs) }),
  }
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

function durationText(ms: number): string {
  const [unit, size] = units.find(([, each]) => ms % each === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}

/** In whatever order. */
function isSame(scopes: readonly string[], before: unknown): boolean {
  if (!Array.isArray(before)) return false
  return isDeepStrictEqual(new Set<unknown>(scopes), new Set<unknown>(before))
}
