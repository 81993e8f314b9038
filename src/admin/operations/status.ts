/** Operations that say how the gate stands: to operators all of it, to anybody whether it serves. */

import type { AuditLog } from '../../audit/audit-log.ts'
import type { Clock } from '../../domain/clock.ts'
import { z } from '../../lib/shape.ts'
import { version } from '../../lib/version.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { ReplicaRow } from '../../store/replica-store.ts'
import type { Store } from '../../store/store.ts'
import type { OpenOperation, Operation } from '../operation.ts'
import type { Survey } from '../survey.ts'
import { iso } from '../users/views.ts'

export type StatusParts = {
  policy: Pick<PolicyEngine, 'revision' | 'set'>
  store: Pick<Store, 'kind' | 'replicas' | 'changes'>
  audit: Pick<AuditLog, 'state'>
  clock: Pick<Clock, 'now'>
  replica: { name: string; boot: string }
  /** Everybody is observed until then. */
  observeUntilMs: number | undefined
  survey: () => Promise<Survey>
  /** What is left of the cloud's quota, as JSON; absent: nothing is known yet. */
  quota: () => Readonly<Record<string, unknown>> | undefined
}

const when = () => z.iso.datetime()

const replica = z
  .strictObject({
    ...{ name: z.string(), boot: z.string(), version: z.string(), revision: z.string() },
    commit: z.string().optional(),
    ...{ started_at: when(), beat_at: when(), skew_ms: z.number() },
    this: z.boolean().optional().meta({ description: 'The one that answers' }),
    drift: z.boolean().optional().meta({ description: 'Its policies are others than these' }),
  })
  .meta({ id: 'Replica' })
const status = z
  .strictObject({
    version: z.string(),
    revision: z.string().meta({ description: 'Of policies, catalog and gate' }),
    commit: z.string().optional(),
    observe: z
      .strictObject({ until: when(), warning: z.string() })
      .optional()
      .meta({ description: 'Present while everybody is observed and nobody is refused' }),
    observed_users: z
      .strictObject({
        total: z.int(),
        warning: z.string(),
        first: z.array(z.strictObject({ user: z.string(), until: when() })),
      })
      .optional()
      .meta({ description: 'Present while API users are observed, who are refused nothing' }),
    store: z.strictObject({
      kind: z.enum(['sqlite', 'postgres']),
      last_change: z.int(),
      confirmed_at: when(),
      listening: z.boolean(),
    }),
    audit: z.strictObject({ healthy: z.boolean(), queued: z.int(), failed: z.string().optional() }),
    drift: z.boolean().meta({ description: 'Replicas that live have different policies' }),
    replicas: z.strictObject({ live: z.array(replica), gone: z.array(replica) }),
    tokens_ending_soon: z
      .strictObject({
        total: z.int(),
        first: z.array(z.strictObject({ user: z.string(), token_id: z.string(), ends_at: when() })),
      })
      .optional(),
    quota: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'What is left of the quota of the cloud' }),
  })
  .meta({ id: 'Status' })
type Status = z.infer<typeof status>

const health = z.strictObject({ status: z.enum(['ok', 'failing']) })

const base = { tag: 'Gate', errors: 'problem', method: 'GET' } as const

export function statusOperation(parts: StatusParts): Operation {
  return {
    ...base,
    ...{ id: 'getStatus', path: '/api/status', role: 'viewer' },
    summary: 'How the gate stands: policies, observation, replicas, store, tokens that end soon',
    answers: {
      200: {
        says: 'Of this moment; what takes a look at everything may be somewhat older',
        body: status,
      },
    },
    async handle({ operator }) {
      const { policy, store, audit, clock, observeUntilMs } = parts
      const { live, gone } = await store.replicas.list()
      const { commit } = policy.set
      const { seq, confirmedAtMs, listening } = store.changes.state()
      const { healthy, queued, failed } = audit.state()
      const quota = parts.quota()
      const body: Status = {
        ...{ version, revision: policy.revision, ...(commit !== undefined && { commit }) },
        ...(observeUntilMs !== undefined &&
          observeUntilMs > clock.now() && {
            observe: { until: iso(observeUntilMs), warning: 'Nobody is refused until then.' },
          }),
        // An operator of one product hears of no other's API users.
        ...(operator.product === undefined && ofSurvey(await parts.survey())),
        store: {
          ...{ kind: store.kind, last_change: seq, confirmed_at: iso(confirmedAtMs), listening },
        },
        audit: { healthy, queued, ...(failed !== undefined && { failed }) },
        drift: live.some(({ revision }) => revision !== policy.revision),
        replicas: {
          live: live.map((row) => ({
            ...toReplica(row),
            ...(row.boot === parts.replica.boot && { this: true }),
            ...(row.revision !== policy.revision && { drift: true }),
          })),
          gone: gone.map(toReplica),
        },
        ...(quota !== undefined && { quota: toQuota(quota, operator.product) }),
      }
      return { status: 200, body }
    },
  }
}

/** Who used how much of it is for those who may see all API users. */
function toQuota(quota: Readonly<Record<string, unknown>>, product: string | undefined) {
  const { users, ...shared } = quota
  return product === undefined ? { ...shared, users } : shared
}

/** Nothing of what is behind the port. */
export function healthOperation({ store, audit }: Pick<StatusParts, 'store' | 'audit'>) {
  return {
    ...base,
    ...{ id: 'getHealth', path: '/health', role: 'none' },
    summary: 'Whether the gate can keep its promises now',
    answers: {
      200: { says: 'It serves', body: health },
      503: { says: 'It refuses, for the store or the audit log cannot be had', body: health },
    },
    async handle() {
      return isWell(store, audit)
        ? { status: 200, body: { status: 'ok' } }
        : { status: 503, body: { status: 'failing' } }
    },
  } satisfies OpenOperation
}

function isWell(store: Pick<Store, 'changes'>, audit: Pick<AuditLog, 'state'>): boolean {
  try {
    store.changes.assertFresh()
    return audit.state().healthy
  } catch {
    return false
  }
}

function ofSurvey({ ending, observed }: Survey) {
  return {
    ...(observed.total > 0 && {
      observed_users: {
        total: observed.total,
        warning: 'These API users are refused nothing until then.',
        first: observed.first.map(({ user, untilMs }) => ({ user, until: iso(untilMs) })),
      },
    }),
    tokens_ending_soon: {
      total: ending.total,
      first: ending.first.map(({ user, tokenId, endsAtMs }) => ({
        ...{ user, token_id: tokenId, ends_at: iso(endsAtMs) },
      })),
    },
  }
}

function toReplica({ name, boot, version, revision, commit, ...times }: ReplicaRow) {
  return {
    ...{ name, boot, version, revision },
    ...(commit !== undefined && { commit }),
    ...{ started_at: iso(times.startedAtMs), beat_at: iso(times.beatAtMs), skew_ms: times.skewMs },
  }
}
