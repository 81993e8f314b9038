/** Tests of the policy language, written and run as an operator does: in a policy file, by `fleetgate check`. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { invoke } from '../kit/cli.ts'
import { attributes } from './conditions.ts'
import { idOf, type Item } from './world.ts'

type PolicyTest = { user: string; device: Item; want: string; organization: string }

/** A test of the policy language, with the facts as the cloud tells them. */
export function policyTest({ user, device, want, organization }: PolicyTest): object {
  const facts = Object.entries(attributes).flatMap(([name, [, key]]) =>
    name === 'id' || device[key] === null ? [] : [[name, device[key]] as const],
  )
  return {
    name: `${user} ${idOf(device)}`,
    user,
    action: 'devices:list',
    resource: { organization, product: '12345', device: idOf(device) },
    facts: Object.fromEntries(facts),
    want,
  }
}

/** Lines about failed tests and mistakes, as `fleetgate check` prints them. */
export async function failedTests(policy: object): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-test-'))
  try {
    await mkdir(join(folder, 'policies'))
    await writeFile(join(folder, 'policies', 'policy.yaml'), JSON.stringify(policy, undefined, 1))
    const config = join(folder, 'fleetgate.yaml')
    await writeFile(
      config,
      'upstream: { url: "http://127.0.0.1:9", credentials: { default: { file: none } } }\n',
    )
    const { code, out, err } = await invoke(['check', '--skip-credentials', '--config', config])
    return code === 0 ? [] : `${out}${err}`.split('\n').filter((line) => !line.endsWith('note)'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
