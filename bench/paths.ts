/** Where the programs of the benchmark lie. */

import { fileURLToPath } from 'node:url'

export function program(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
