/** What must hold at the end of every end-to-end test: each request left exactly one trace. */

import type { AuditRow, TestGate } from './start-gate.ts'

export type Traces = {
  decisions: AuditRow[]
  rejects: AuditRow[]
  summarised: number
  total: number
}

/** Of the data port: `total` is decisions + reject rows + summarised. What operators were refused stands beside it. */
export async function traces(gate: TestGate): Promise<Traces> {
  const [decisions, refused, summaries] = await Promise.all([
    gate.decisions(),
    gate.rejects(),
    gate.summaries(),
  ])
  const rejects = refused.filter((row) => row['port'] !== 'admin')
  const summarised = summaries.reduce((sum, row) => sum + Number(row['summarised']), 0)
  return {
    decisions,
    rejects,
    summarised,
    total: decisions.length + rejects.length + summarised,
  }
}
