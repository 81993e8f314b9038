/** Event streams: the contract of what `enforce` asks for. */

import type { OutcomeFields } from '../../audit/audit-log.ts'
import type { Served } from '../enforce.ts'

export interface Streams extends Disposable {
  /** Listens for this client on the connection that all clients of the place share. @throws Problem as long as nothing was sent */
  serve(served: Served): Promise<OutcomeFields>
}
