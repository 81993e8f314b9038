/** What a store keeps of API users: definitions that operators wrote, and who is suspended, wherever it is defined. */

import type { StoredDefinition } from '../domain/grant.ts'
import type { Replacement } from './token-store.ts'

export type Suspension = { atMs: number; by: string; because: string }

export type UserRow = {
  name: string
  /** Absent: it lives in the policy files, and only its suspension is kept here. */
  stored: StoredDefinition | undefined
  /** What lists are filtered and searched by: as the definition has it. */
  place: { products: readonly string[]; organization: string | undefined }
  description: string
  createdAtMs: number
  createdBy: string
  updatedAtMs: number
  updatedBy: string
  suspended: Suspension | undefined
  /** The policy files took its name: its definition counts for nothing until an operator updates it. */
  displacedAtMs: number | undefined
}

export type UserPage = { rows: UserRow[]; total: number }

export type UserQuery = {
  /** Part of name or description, without case. No index helps: all of the place are read through. */
  search?: string
  product?: string
  organization?: string
  /** Wholly inside this product: it is all that they reach. */
  within?: string
  /** In the order of names. */
  offset: number
  limit: number
}

export type NamesQuery = Omit<UserQuery, 'offset'> & {
  /** Names behind this one; absent: from the first. */
  after?: string
  /** A word that definitions are searched for. */
  mentions?: string
}

export type NameRow = {
  name: string
  displaced: boolean
  /** Its definition has the word that was asked about; false where none was. */
  mentions: boolean
}

/** Errors: `UserConflict` when it exists already, was changed by somebody else, or is gone. */
export interface UserStore {
  get(name: string): Promise<UserRow | undefined>
  /** Only those with a definition. */
  page(query: UserQuery): Promise<UserPage>
  /** The same, in the order of names, without what is dear to read: for whoever goes through all of them. */
  names(query: NamesQuery): Promise<NameRow[]>
  /** All suspensions, also of API users of the policy files. */
  suspensions(): Promise<ReadonlyMap<string, Suspension>>
  /** With its first token, or none. One transaction. */
  create(user: NewUser, token: Replacement | undefined, by: string): Promise<UserRow>
  /** @param expected version; the token in its place in the same transaction, or none where its rights stay as they are */
  update(
    user: NewUser,
    expected: number,
    token: Replacement | undefined,
    by: string,
  ): Promise<UserRow>
  /** Its token dies with it. */
  delete(name: string, expected: number, atMs: number, by: string): Promise<void>
  suspend(name: string, because: string, atMs: number, by: string): Promise<void>
  /** False: it was not suspended. */
  resume(name: string, atMs: number, by: string): Promise<boolean>
  /** Those of the names that have a definition which is not displaced: whom `displace` would hit. Changes nothing. */
  clashes(names: readonly string[]): Promise<string[]>
  /** Those of the names that have a definition lose their place to the policy files; returns who did. Their tokens die. */
  displace(names: readonly string[], atMs: number, by: string): Promise<string[]>
}

export type NewUser = {
  name: string
  definition: string
  place: UserRow['place']
  description: string
  atMs: number
}

export class UserConflict extends Error {
  override readonly name = 'UserConflict'
}
