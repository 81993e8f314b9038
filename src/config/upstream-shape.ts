/** The keys of `fleetgate.yaml` about the cloud behind the gate. */

import { isHttpsOrLoopback } from '../lib/http-url.ts'
import { mapping, text, z } from '../lib/shape.ts'
import {
  count,
  credential,
  duration,
  key,
  originUrl,
  section,
  toggle,
  type Surroundings,
} from './keys.ts'

export function upstream(around: Surroundings) {
  const byId = (says: string) =>
    key(z.record(text(), credential(around)).optional(), 'ID: credential', says)
  return mapping({
    url: originUrl('The cloud behind the gate, e.g. https://api.particle.io.'),
    plain_http: toggle(
      false,
      'Call a cloud on another machine by http: who can read that network reads the gate’s credentials.',
    ),
    credentials: mapping({
      default: credential(around).optional(),
      products: byId('Credentials that speak for one product each, by its id.'),
      organizations: byId('Credentials that speak for one organization each, by its id.'),
    })
      .refine(
        ({ default: one, products = {}, organizations = {} }) =>
          one !== undefined || Object.keys({ ...products, ...organizations }).length > 0,
        'must name at least one credential, e.g. default: { env: CLOUD_TOKEN }',
      )
      .meta({
        description:
          'The gate’s own tokens of the cloud; the most specific one is used. Never written here, never printed.',
      }),
    connections: count(
      128,
      'Connections to the cloud at most, for answers that the gate reads. API users take turns; nobody has more than three times what is left for the others.',
    ),
    streams: count(
      1024,
      'The same for uploads and answers that stream. Event streams have connections of their own.',
    ),
    quota: section('What the cloud lets the gate’s address call.', {
      calls: count(10_000, 'Calls at most, of all API users and of the gate’s own for them.'),
      per: duration('5m', 'In how long.'),
      reserve: count(
        10,
        'Percent kept for look-ups that the gate makes for API users who have not had their fair part.',
        0,
        90,
      ),
    }),
    queue: count(
      2048,
      'Calls that may be under way or wait for a connection; then 503. For one who has three times what is left for the others, 429.',
    ),
  })
    .superRefine(({ url, plain_http: plain }, context) => {
      if (plain || isHttpsOrLoopback(url.origin)) return
      const message =
        'must be https: the gate’s credential would go to another machine in clear; where that is meant, say plain_http: true'
      context.addIssue({ code: 'custom', path: ['url'], message })
    })
    .meta({ description: 'The cloud behind the gate.' })
}
