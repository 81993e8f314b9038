/** What a test through the gate left on its two far sides: at the simulated cloud, and in the audit log. */

import type { DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { traces } from './invariant.ts'
import type { TestGate } from './start-gate.ts'

/**
 * Method and target of each request that reached the cloud.
 * @throws Error where one lacks the gate's own credential, or carries a token of a client
 */
export function requestsAt(cloud: DeviceCloud, { tokens }: Pick<TestGate, 'tokens'>): string[] {
  return cloud.requests().map(({ method, url, rawHead, body }) => {
    const line = `${method} ${url}`
    if (!rawHead.includes(`Bearer ${cloud.token}`)) throw new Error(`not the gate's own: ${line}`)
    const leaked = Object.values(tokens).some((token) => `${rawHead}${body}`.includes(token))
    if (leaked) throw new Error(`a client's token went upstream: ${line}`)
    return line
  })
}

/** The decisions of all requests after the first `before` traces, oldest first. */
export async function decisionsSince(gate: TestGate, before: number): Promise<unknown[]> {
  const { decisions, total } = await traces(gate)
  return decisions.slice(decisions.length - (total - before)).map((row) => row['decision'])
}
