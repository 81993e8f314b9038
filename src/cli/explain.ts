/** `fleetgate explain`: what the gate would say to a request, which line says so, and what it hung on. */

import { isIP } from 'node:net'
import type { Command } from 'commander'
import { type ConfigOption, openOfflineConfig, readText, withConfig } from './config-file.ts'
import { explainRequest, type Explained, type Question } from './explain-request.ts'
import { Finding, type Io, json, UsageError } from './io.ts'

const help = `
Nothing is sent anywhere: what the cloud would have to be asked is given with --fact, or named as missing.
Facts are attributes of the resource (groups, online, ...; lists by repeating), "product" of a device that is named
without one, and "organization" of a product.

Where the store holds a token of the API user, the grant of that token counts too, as it does in the gate.

Examples:
  fleetgate explain --user acme-dashboard GET /v1/products/12345/devices
  fleetgate explain --user site-7-partner --fact groups=site-7 \\
      GET /v1/products/12345/devices/e00fce683828ce6a0694ceca
  echo '{"arg":"21"}' | fleetgate explain --user site-7-partner --fact groups=site-7 --body - \\
      POST /v1/products/12345/devices/e00fce683828ce6a0694ceca/setpoint

Exit code 0 where it is allowed, 1 where it is denied or a fact is missing.`

type Options = ConfigOption & {
  user: string
  body?: string
  header?: string[]
  fact?: string[]
  address?: string
  at?: string
  json?: true
}

export function addExplain(program: Command, io: Io): void {
  withConfig(program.command('explain <method> <target>'))
    .description('Explain one decision: METHOD and TARGET as a client would send them')
    .requiredOption('-u, --user <name>', 'the API user')
    .option('-b, --body <file>', 'the request body; - reads standard input')
    .option(
      '-H, --header <line>',
      'a request header, e.g. "Accept: text/csv"; may be repeated',
      many,
    )
    .option(
      '-f, --fact <name=value>',
      'an attribute that the cloud would tell; may be repeated',
      many,
    )
    .option('--address <ip>', 'from which address; where absent, one from which it may call')
    .option('--at <time>', 'at which time, e.g. 2026-11-22T10:00:00Z; now where absent')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(async (method: string, target: string, options: Options) => {
      const question: Question = {
        user: options.user,
        method: method.toUpperCase(),
        target: target.replace(/^https?:\/\/[^/?#]*/, ''),
        headers: (options.header ?? []).map(headerOf),
        body: bodyOf(options.body, io),
        facts: (options.fact ?? []).map(factOf),
        address: addressOf(options.address),
        atMs: timeOf(options.at, io),
      }
      const explained = await explainRequest(openOfflineConfig(options, io), question, io.clock)
      io.out(options.json ? json(explained) : report(explained))
      if (explained.outcome !== 'allow') throw new Finding()
    })
}

function many(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

function headerOf(line: string): [string, string] {
  const [, name, value] = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line) ?? []
  if (name === undefined || value === undefined) {
    throw new UsageError(`"${line}" is not a header; write "Name: value"`)
  }
  return [name, value]
}

function factOf(text: string): [string, string] {
  const sign = text.indexOf('=')
  if (sign < 1) throw new UsageError(`"${text}" is not a fact; write name=value`)
  return [text.slice(0, sign), text.slice(sign + 1)]
}

function bodyOf(file: string | undefined, io: Io): Buffer | undefined {
  if (file === undefined) return undefined
  return file === '-'
    ? io.readStdin()
    : Buffer.from(readText(file, 'name a file, or - for standard input'))
}

function addressOf(text: string | undefined): string | undefined {
  if (text === undefined || isIP(text) !== 0) return text
  throw new UsageError(`"${text}" is not an IP address; write 192.0.2.7 or 2001:db8::7`)
}

function timeOf(text: string | undefined, io: Io): number {
  if (text === undefined) return io.clock.now()
  const atMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs))
    throw new UsageError(`"${text}" is not a time; write 2026-11-22T10:00:00Z`)
  return atMs
}

function report(explained: Explained): string {
  const { outcome, reason, says, rule, requests, missing, tell, token, answer, hide } = explained
  const lines = [`${outcome.toUpperCase()}${reason === undefined ? '' : `  ${reason}`}`]
  if (explained.observedUntil !== undefined && outcome !== 'allow') {
    lines.push(
      `  but sent on, and recorded as would_deny: observed until ${explained.observedUntil}`,
    )
  }
  if (says !== undefined) lines.push(`  ${says}`)
  if (rule !== undefined) {
    lines.push(`  by       ${rule.file}:${rule.line}  ${rule.text}`)
    if (rule.because !== undefined) lines.push(`  because  ${rule.because}`)
  }
  if (tell !== undefined) lines.push(`  told     ${tell}`)
  if (explained.route !== undefined) lines.push(`  route    ${explained.route}`)
  for (const { action, does, resource, fields, values } of requests) {
    const { type, ...ids } = resource
    const parts = Object.entries({ ...ids, ...fields, ...values }).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    lines.push(`  asks     ${action} on ${type} ${parts.join(' ')}`.trimEnd(), `           ${does}`)
  }
  if (explained.items === 'each') lines.push('  items    each decided by itself')
  if (answer !== undefined) lines.push(`  answer   only ${answer.join(', ')}`)
  if (hide.length > 0) lines.push(`  hides    ${hide.join(', ')}`)
  lines.push(`  token    ${token}`)
  for (const line of missing) lines.push(`  missing  ${line}`)
  return lines.join('\n')
}
