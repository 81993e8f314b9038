/** What every route of the simulator is handed. */
import type { EventHub } from './event-hub.ts'
import type { Recorder } from './recorder.ts'
import type { World } from './state.ts'
import type { Team } from './team.ts'
import type { Tokens } from './tokens.ts'
import type { Traffic } from './traffic.ts'

export interface Context {
  readonly world: World
  readonly tokens: Tokens
  readonly team: Team
  readonly hub: EventHub
  readonly recorder: Recorder | null
  readonly traffic: Traffic
  /** Open sockets of the server. */
  readonly connections: () => Promise<number>
}
