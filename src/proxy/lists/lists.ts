/** Lists whose items are decided one by one: the contract of what `enforce` asks for. */

import type { OutcomeFields } from '../../audit/audit-log.ts'
import type { Served } from '../enforce.ts'

export type Lists = {
  /** True where items may be missing from the answer, or where the gate puts the list together itself. */
  isCut(served: Served): boolean
  /** Answers as a cloud would that held only what this API user may see. @throws Problem */
  serve(served: Served): Promise<OutcomeFields>
}
