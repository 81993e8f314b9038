/** Closed lists of words that policies, catalogs and requests share: each is written here once. */

export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
export type Method = (typeof methods)[number]

/** Things of a device or a place that have names of their own. */
export const nameWords = ['functions', 'variables', 'events', 'ledgers'] as const

/** The kinds of names a rule can list to narrow an action, e.g. `functions: [reboot]`. `body` names body keys. */
export const fieldWords = [...nameWords, 'body'] as const
export type FieldWord = (typeof fieldWords)[number]

/**
 * Why the engine denies. `outside_addresses`: the API user calls from where its `from` does not name. `hidden_key`: a
 * query key filters or sorts by what it may not see. `cannot_filter`: the answer has no keys to cut it by, and only a
 * part of it may be seen.
 */
export const denyReasons = [
  'unmapped_route',
  'outside_boundary',
  'outside_devices',
  'not_granted',
  'forbidden',
  'not_in_issued_grant',
  'outside_addresses',
  'outside_hours',
  'over_limit',
  'hidden_key',
  'cannot_filter',
] as const
export type DenyReason = (typeof denyReasons)[number]
