/** A value that must never be printed: template strings, JSON and inspection all show `[secret]`. */

import { inspect } from 'node:util'

export class Secret {
  readonly #value: string
  /** Where it was found, for people: the name of a variable or a file, and no part of it. */
  readonly source: string | undefined

  constructor(value: string, source?: string) {
    this.#value = value
    this.source = source
  }

  /** The only way out; grep for it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
