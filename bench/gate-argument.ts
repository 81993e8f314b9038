/** What a gate of the benchmark is started with, and what it says when it listens. */

import type { Service } from './processes.ts'

export type GateArgument = {
  upstream: { url: string; token?: string }
  /** One policy file. */
  policies: string
  /** YAML lines of the configuration. */
  config?: string
  /** Which API users get tokens here; `all` where absent, `none` where another replica issues them. */
  mint?: 'all' | 'none'
}

export function gateArgument(argument: GateArgument): string {
  return JSON.stringify(argument)
}

export function readGateArgument(text: string): GateArgument {
  const argument: GateArgument = JSON.parse(text)
  return argument
}

export function tokenOf(gate: Service, user: string): string {
  const tokens: Readonly<Record<string, unknown>> = Object(gate.ready['tokens'])
  const token = tokens[user]
  if (typeof token !== 'string') throw new Error(`the gate has no token for ${user}`)
  return token
}
