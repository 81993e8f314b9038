/** Whether a token of the cloud is one that this gate itself calls the cloud with: more than any API user may have. */

import type { Secret } from '../lib/secret.ts'
import { loadConfig } from '../config/load.ts'
import { type ConfigOption, readConfigText } from './config-file.ts'
import type { Io } from './io.ts'

/** `unknown`: not all of the gate's credentials can be read by whoever runs the command. */
export type OwnCredential = 'own' | 'other' | 'unknown'

/** @throws UsageError where there is no configuration */
export function whoseCredential(
  token: Secret,
  { config: file }: ConfigOption,
  { env }: Pick<Io, 'env'>,
): OwnCredential {
  const loaded = loadConfig(readConfigText(file), file, env)
  if (!loaded.ok) return 'unknown'
  const { default: one, products, organizations } = loaded.config.upstream.credentials
  const all = [...(one === undefined ? [] : [one]), ...products.values(), ...organizations.values()]
  return all.some((each) => each.reveal() === token.reveal()) ? 'own' : 'other'
}
