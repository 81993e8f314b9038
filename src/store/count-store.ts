/** What a store keeps of limits: how many calls of a long window a gate has let pass, so that a restart gives none back. */

export type KeptCount = {
  /** As it is counted under: what the limit means, hashed. */
  key: string
  calls: number
  /** When its window ends, by the clock of the gate that counts. */
  endsAtMs: number
}

export interface CountStore {
  /** Of the gate of this name: those whose window has not ended. */
  list(replica: string, nowMs: number): Promise<KeptCount[]>
  /** Takes the place of what was kept of the same keys. Counts change nobody's rights: no change is recorded. */
  keep(replica: string, counts: readonly KeptCount[]): Promise<void>
}
