/** The policy engine's answer. */

import type { Limit } from './grant.ts'
import type { DenyReason } from './words.ts'

export type { DenyReason } from './words.ts'

/** The rule that decided, as a person finds it. */
export type RuleRef = { file: string; line: number; id?: string; because?: string; text: string }

/** Which keys of an answer are shown. */
export type Shown = {
  /** Keys to keep in each item; `undefined`: all. */
  answer: ReadonlySet<string> | undefined
  /** Keys to strip at any depth. */
  hide: ReadonlySet<string>
  /** Secret keys that were granted by their exact name. */
  reveal: ReadonlySet<string>
}

/** What an allow still demands of the answer. */
export type Obligations = Shown & {
  /** Of a list or a stream: each item or event is decided by itself. Absent: all pass, under the keys above. */
  items?: 'each'
  /** With `items`: what every item that may pass surely shows, whichever it is. Absent: the keys above. */
  sure?: Shown
}

/** One call counted against a `limit` or a `rate`. Equal keys share one count. */
export type Charge = { key: string; limit: Limit }

/** Attribute values the decision looked at, by device id or resource id: written to the audit log. */
export type UsedFacts = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export type Decision =
  | {
      outcome: 'allow'
      rule: RuleRef | undefined
      obligations: Obligations
      facts: UsedFacts
      /** To be counted when the decision is committed. Absent: nothing that applies is limited. */
      charges?: readonly Charge[]
      /** Keys of limits that had no room, so that their rules did not hold: items are judged by the same. Absent: none. */
      spent?: ReadonlySet<string>
    }
  | {
      outcome: 'deny'
      reason: DenyReason
      rule: RuleRef | undefined
      /** For the client; set only where a `can` matched that device. */
      tell: string | undefined
      facts: UsedFacts
      /** Which access request of several failed: its action and resource id, for `explain` and the log. */
      failed: { action: string; resource: string }
      /** Of `over_limit`: whole seconds until the next call may pass. */
      retryAfterS?: number
    }

/** What the gate then did. `observe`: sent on whatever was decided, and nothing was cut. */
export type Enforcement = 'forward' | 'filter' | 'reject' | 'observe'
