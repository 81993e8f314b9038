// docs/day-one.md, typed in as it stands: its shell blocks in their order, in one shell, with other ports.

import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../kit/free-port.ts'

const root = join(import.meta.dirname, '..', '..')
const page = readFileSync(join(root, 'docs', 'day-one.md'), 'utf8')
const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => text ?? '')
const mark = '== end of block'

/** What starts a server is left running, and the shell goes on once it answers. */
const beginning = `
set -eu
cd "$ROOT"
servers=
trap 'for one in $servers; do kill "$one" 2>/dev/null || true; done; wait' EXIT
fleetgate() { "$NODE" src/main.ts "$@"; }
node() { "$NODE" "$@"; }
up() {
  servers="$servers $!"
  for _ in $(seq 300); do curl -s -o /dev/null "http://127.0.0.1:$1" && return; sleep 0.1; done
  echo "nothing listens on $1" >&2
  exit 1
}
gate=
serve() {
  if [ -n "$gate" ]; then kill "$gate"; wait "$gate"; fi
  "$NODE" src/main.ts serve "$@" >/dev/null 2>&1 &
  gate=$!
  up "$DATA"
}
`

let folder: string
let said: string[]
beforeAll(async () => {
  folder = join('day-one', `test-${process.pid}`)
  mkdirSync(join(root, folder), { recursive: true })
  const [cloud, data, admin] = [await freePort(), await freePort(), await freePort()]
  const typed = blocks
    .map((text) =>
      text
        .replaceAll('day-one/', `${folder}/`)
        .replaceAll(':8100', `:${cloud}`)
        .replaceAll(':8080', `:${data}`)
        .replaceAll(':8081', `:${admin}`)
        .replaceAll(/^alias .*$/gm, '')
        .replaceAll(/^fleetgate serve/gm, 'serve')
        .replaceAll(
          /^npx node (examples\/\S+) (.*)$/gm,
          `"$NODE" $1 --port ${cloud} $2 >/dev/null 2>&1 & up ${cloud}`,
        )
        .replaceAll(/^npx node/gm, 'node')
        .replaceAll(/\bcurl /g, 'curl -s '),
    )
    .join(`\necho; echo '${mark}'\n`)
  const env = { ...process.env, ROOT: root, NODE: process.execPath, DATA: String(data) }
  const out = await new Promise<string>((resolve, reject) => {
    execFile('bash', ['-c', beginning + typed], { env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${error.message}\n${stdout}\n${stderr}`))
    })
  })
  said = out.split(mark)
})
afterAll(() => rmSync(join(root, folder), { recursive: true, force: true }))

/** What the block printed that has these words in it. */
function saidBy(words: string): string {
  return said[blocks.findIndex((text) => text.includes(words))] ?? ''
}

describe('docs/day-one.md', () => {
  it('lets the client do what it always did, and prints the policy that it needs', () => {
    const text = saidBy('fleetgate observed --config day-one/fleetgate.yaml\n')
    expect(text).toContain('"id":"e00fce68636486bf97d48e1b"')
    expect(text).toContain('"return_value"')
    expect(text).toMatch(
      / {2}observed-[0-9a-f]+:\n(?:.*\n)*? {4}devices: \[e00fce68636486bf97d48e1b\]/,
    )
    expect(text).toContain('functions: [setpoint]')
  })

  it('sends on under observation what would be denied, and says so in the log', () => {
    const text = saidBy('token adopt old-script')
    expect(text).toContain('1 API user, no mistakes')
    expect(text).toContain('"return_value"')
    expect(text).toMatch(/"decision":"would_deny".*"user":"old-script".*reboot/)
  })

  it('enforces in the end: what the policy has goes on, and the rest is denied', () => {
    const text = saidBy('# as before')
    expect(text).toMatch(/"return_value".*[^]*"error":"permission_denied"/)
  })

  it('makes an API user by an operator, rotates, suspends and resumes it, and says who may do what', () => {
    const text = saidBy('operators create olga')
    expect(text.match(/fg_u_/g)).toHaveLength(2)
    expect(text).toContain('laptop lost')
    expect(text).toMatch(/"user":"night-build"[^]*$/)
  })

  it('makes one by the cloud’s own team API', () => {
    expect(saidBy('team.mjs')).toContain('fg_u_')
  })
})
