/** What a catalog says of one route's answer: where its items are, whose they are, and how it is put together again. */

import type { ResourceType } from './access-request.ts'

export type Pattern = { text: string; segments: readonly Segment[] }
export type Segment =
  | { literal: string }
  | { parameter: string; /** Anchored, on the decoded segment. */ grammar: RegExp }

/** How an answer is cut. `at` is a dotted path to the object or array; empty: the root. */
export type AnswerSpec =
  | {
      kind: 'object'
      at: string
      secrets: readonly string[]
      /** What the object is: rules may then name only that resource's keys. Absent: any key. */
      item?: ResourceType
    }
  | {
      kind: 'list'
      at: string
      secrets: readonly string[]
      /** What each item is, or belongs to. */
      item: ResourceType
      /** There exactly where `item` is not `none`: each item is decided by itself. */
      items?: ItemsSpec
    }
  | {
      kind: 'stream'
      /**
       * The upstream stream that carries these events and those of others, e.g. `/v1/products/:product/events`:
       * one connection to it serves all clients. Only parameters of the route, or of its resource, stand in it.
       */
      shared: Pattern
    }
  /** Binary, CSV, bare values: passed whole or not at all. */
  | { kind: 'opaque' }

export type ListAnswer = Extract<AnswerSpec, { kind: 'list' }> & { items: ItemsSpec }

/** How items are told apart, and how an answer is put together from those that remain. */
export type ItemsSpec = {
  /** Dotted path in an item to the id of the resource it is or belongs to. */
  id: string
  /** Only items that have this text here belong to such a resource (a ledger instance's scope); others belong to the place. */
  when?: { at: string; is: string }
  /** Where attributes of its resource are: in the `item` (the list is of these resources) or in the `directory`. */
  facts: 'item' | 'directory'
  paging?: Paging
  /** Collections beside the list that say something about its items. */
  sides: readonly Side[]
  /** Keys of the root that say nothing about the items. All that is not declared is dropped from a cut answer. */
  keep: readonly string[]
  /** Query keys by which the cloud itself can leave out what nobody could be shown. */
  narrow: readonly Narrow[]
  /** The list is put together from this list of every product of the boundary: the cloud's own knows only one account. */
  across?: Pattern
}

export type Paging = {
  /** Query key of the page's number, from 1. */
  page: string
  /** Query keys of the page's size, in the cloud's order of precedence; the first is what the gate sends. */
  size: readonly string[]
  defaultSize: number
  /** Largest size the cloud takes, and the size in which the gate reads whole lists. */
  maxSize: number
  /** Dotted paths from the root, where the answer has them. */
  meta: { page?: string; size?: string; pages?: string; total?: string }
}

/**
 * Entries at `at` (an array) stay where their `key` is the `of` of an item that stays, with their first-level keys
 * `keep` (of which `key` is one): what else is in them may be about items that do not.
 */
export type Side = { at: string; key: string; of: string; keep: readonly string[] }

/** `query` keeps the items whose `attribute` is, or as a list holds, this one value, whole. */
export type Narrow = { query: string; attribute: string }
