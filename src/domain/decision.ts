/** The policy engine's answer. */

export type DenyReason =
  | 'unmapped_route'
  | 'outside_boundary'
  | 'outside_devices'
  | 'not_granted'
  | 'forbidden'
  | 'not_in_issued_grant'
  | 'outside_hours'
  | 'over_limit'
  | 'cannot_filter_yet'

/** The rule that decided, as a person finds it. */
export type RuleRef = { file: string; line: number; id?: string; because?: string; text: string }

/** What an allow still demands of the answer. */
export type Obligations = {
  /** Keys to keep in each item; `undefined`: all. */
  answer: ReadonlySet<string> | undefined
  /** Keys to strip at any depth. */
  hide: ReadonlySet<string>
  /** Secret keys that were granted by their exact name. */
  reveal: ReadonlySet<string>
}

/** Attribute values the decision looked at, by device id or resource id: written to the audit log. */
export type UsedFacts = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export type Decision =
  | {
      outcome: 'allow'
      rule: RuleRef | undefined
      obligations: Obligations
      facts: UsedFacts
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
    }

/** What the gate then did. */
export type Enforcement = 'forward' | 'filter' | 'reject'
