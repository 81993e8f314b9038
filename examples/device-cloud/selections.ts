/** Remembers what the filters of a list found, so that paging through a large fleet costs one search and no more. */

const remembered = 40

export class Selections<Item> {
  readonly #found = new Map<string, { version: string; items: readonly Item[] }>()

  /** `version` names the state of all that `find` looks at: another one, and it is asked again. */
  of(question: string, version: string, find: () => readonly Item[]): readonly Item[] {
    const known = this.#found.get(question)
    if (known?.version === version) return known.items
    const items = find()
    this.#found.delete(question)
    this.#found.set(question, { version, items })
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= remembered) break
      this.#found.delete(oldest)
    }
    return items
  }
}
