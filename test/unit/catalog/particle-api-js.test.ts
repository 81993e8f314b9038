/** What the official client really sends, method by method: known to the catalog down to every key, or refused. */

import { describe, expect, it } from 'vitest'
import Particle from 'particle-api-js'
import { createRouteTable } from '../../../src/catalog/route-table.ts'
import { deedsAsked, particleCatalog, takesFile, takesKey } from '../../kit/catalog.ts'

type Call = {
  uri: string
  method?: string
  query?: Record<string, unknown>
  data?: Record<string, unknown>
  form?: Record<string, unknown>
  files?: Record<string, unknown>
  headers?: Record<string, string>
}

const table = createRouteTable(particleCatalog())
const device = '0123456789abcdef01234567'
const product = 'thermostat-v1'
const org = 'acme'
const iccid = '8901410312345000001'
const auth = 'x'
const file = Buffer.from('x')

const at = { product, auth }
const own = { deviceId: device, auth }
const both = { deviceId: device, product, auth }
const orgLedger = { org, auth, ledgerName: 'config', scopeValue: device }
const orgLogic = { org, auth, logicFunctionId: 'f-1', logicRunId: 'r-1' }

/** Method, arguments, what it must mean. */
const calls: readonly [string, Record<string, unknown>, string][] = [
  ['login', { username: 'a', password: 'b' }, 'refused'],
  ['enableMfa', { auth }, 'refused'],
  ['deleteCurrentAccessToken', { auth }, 'self'],
  ['deleteActiveAccessTokens', { auth }, 'refused'],
  ['deleteUser', { auth, password: 'x' }, 'refused'],
  ['getUserInfo', { auth }, 'self'],
  ['listDevices', { auth }, 'devices:list'],
  [
    'listDevices',
    {
      ...at,
      deviceId: 'e0',
      deviceName: 'a',
      groups: ['x', 'y'],
      sortAttr: 'name',
      sortDir: 'asc',
      page: 2,
      perPage: 5,
    },
    'devices:list',
  ],
  ['getDevice', own, 'devices:get'],
  ['getDevice', both, 'devices:get'],
  ['claimDevice', own, 'refused'],
  ['provisionDevice', { productId: 12345, auth }, 'refused'],
  ['addDeviceToProduct', both, 'devices:import.ids'],
  ['addDeviceToProduct', { ...at, file }, 'devices:import.file'],
  ['removeDevice', { ...both, deny: true }, 'devices:remove.device devices:remove.deny'],
  ['removeDevice', both, 'devices:remove.device'],
  ['removeDevice', own, 'devices:release'],
  ['removeDeviceOwner', both, 'devices:release'],
  ['renameDevice', { ...own, name: 'n' }, 'devices:update.name'],
  ['renameDevice', { ...both, name: 'n' }, 'devices:update.name'],
  ['signalDevice', { ...both, signal: true }, 'devices:update.signal'],
  ['setDeviceNotes', { ...own, notes: 'n' }, 'devices:update.notes'],
  ['markAsDevelopmentDevice', both, 'devices:update.development'],
  [
    'lockDeviceProductFirmware',
    { ...both, desiredFirmwareVersion: 3, flash: true },
    'devices:update.firmware_version devices:update.flash',
  ],
  ['unlockDeviceProductFirmware', both, 'devices:update.firmware_version'],
  ['flashDevice', { ...own, files: { a: file, b: file } }, 'devices:update.flash'],
  ['flashDevice', { ...both, files: { a: file }, targetVersion: '6.1.0' }, 'devices:update.flash'],
  [
    'unprotectDevice',
    { ...own, org, action: 'prepare', serverNonce: 'a', deviceNonce: 'b' },
    'devices:unprotect',
  ],
  ['getClaimCode', { ...at, iccid }, 'device_claims:create'],
  ['getClaimCode', { auth }, 'refused'],
  ['getVariable', { ...own, name: 'battery' }, 'devices.variable:get'],
  ['getVariable', { ...both, name: 'battery' }, 'devices.variable:get'],
  ['callFunction', { ...own, name: 'reboot', argument: 'now' }, 'devices.function:call'],
  ['callFunction', { ...both, name: 'reboot', argument: 'now' }, 'devices.function:call'],
  ['publishEvent', { ...at, name: 'e', data: '1', isPrivate: true }, 'events:send'],
  ['publishEvent', { name: 'e', auth }, 'refused'],
  ['compileCode', { files: { a: file }, platformId: 13, auth }, 'binary:compile'],
  ['downloadFirmwareBinary', { binaryId: 'abc', auth }, 'binary:get'],
  [
    'createWebhook',
    {
      ...at,
      event: 'e',
      url: 'https://x.example',
      device,
      rejectUnauthorized: true,
      noDefaults: true,
      hook: {
        method: 'PUT',
        auth: {},
        headers: {},
        query: {},
        json: {},
        form: {},
        body: '',
        responseTemplate: '',
        responseEvent: '',
        errorResponseEvent: '',
      },
    },
    'integrations:create',
  ],
  ['deleteWebhook', { ...at, hookId: 'h1' }, 'integrations:remove'],
  ['listWebhooks', at, 'integrations:list'],
  [
    'createIntegration',
    {
      org,
      auth,
      event: 'e',
      deviceId: device,
      settings: { integration_type: 'Webhook', url: 'https://x.example' },
    },
    'integrations:create',
  ],
  [
    'editIntegration',
    { ...at, integrationId: 'i1', event: 'e', settings: { disabled: true } },
    'integrations:update',
  ],
  ['deleteIntegration', { ...at, integrationId: 'i1' }, 'integrations:remove'],
  ['listIntegrations', { org, auth }, 'integrations:list'],
  [
    'listSIMs',
    { ...at, iccid, deviceId: device, deviceName: 'a', page: 1, perPage: 2 },
    'sims:list',
  ],
  ['listSIMs', { auth }, 'refused'],
  ['getSIMDataUsage', { ...at, iccid }, 'sims.usage:get.sim'],
  ['getFleetDataUsage', at, 'sims.usage:get.fleet'],
  ['checkSIM', { iccid, auth }, 'refused'],
  ['removeSIM', { ...at, iccid }, 'sims:remove'],
  ['listBuildTargets', { onlyFeatured: true, auth }, 'build_targets:list'],
  [
    'listDeviceOsVersions',
    { platformId: 13, internalVersion: 1, page: 1, perPage: 2, auth },
    'device_os:list',
  ],
  ['getDeviceOsVersion', { version: '6.1.0', platformId: 13, auth }, 'device_os:get'],
  ['listLibraries', { auth }, 'refused'],
  ['listOAuthClients', at, 'clients:list'],
  [
    'createOAuthClient',
    { ...at, name: 'n', type: 'web', redirect_uri: 'u', scope: 's' },
    'clients:create',
  ],
  ['updateOAuthClient', { ...at, clientId: 'abc', name: 'n', scope: 's' }, 'clients:update'],
  ['deleteOAuthClient', { ...at, clientId: 'abc' }, 'clients:remove'],
  ['listProducts', { auth }, 'products:list'],
  ['getProduct', at, 'products:get'],
  ['listProductFirmware', at, 'firmware:list'],
  [
    'uploadProductFirmware',
    { ...at, file, version: 3, title: 't', description: 'd' },
    'firmware:create',
  ],
  ['getProductFirmware', { ...at, version: 3 }, 'firmware:get'],
  ['updateProductFirmware', { ...at, version: 3, title: 't', description: 'd' }, 'firmware:update'],
  ['downloadProductFirmware', { ...at, version: 3 }, 'firmware.binary:get'],
  [
    'releaseProductFirmware',
    { ...at, version: 3, product_default: true, groups: ['x'], intelligent: true },
    'firmware:release',
  ],
  ['downloadManufacturingBackup', own, 'devices.backup_files:get'],
  ['listTeamMembers', at, 'teams.users:list'],
  ['inviteTeamMember', { ...at, username: 'a@b.example' }, 'teams.users:invite.person'],
  ['removeTeamMember', { ...at, username: 'a+b@b.example' }, 'teams.users:remove'],
  ['lookupSerialNumber', { serialNumber: 'P0', auth }, 'refused'],
  ['getProductConfiguration', at, 'configuration:get.product'],
  ['getProductConfigurationSchema', at, 'configuration:get.product_schema'],
  ['getProductDeviceConfiguration', both, 'configuration:get.device'],
  ['getProductDeviceConfigurationSchema', both, 'configuration:get.device_schema'],
  ['setProductConfiguration', { ...at, config: { location: {} } }, 'configuration:update.product'],
  [
    'setProductDeviceConfiguration',
    { ...both, config: { location: {} } },
    'configuration:update.device',
  ],
  [
    'getProductLocations',
    {
      ...at,
      dateRange: 'a',
      rectBl: 'b',
      rectTr: 'c',
      deviceId: 'd',
      deviceName: 'e',
      groups: 'g',
      page: 1,
      perPage: 2,
    },
    'locations:get.fleet',
  ],
  [
    'getProductDeviceLocations',
    { ...both, dateRange: 'a', rectBl: 'b', rectTr: 'c' },
    'locations:get.device',
  ],
  [
    'executeLogic',
    { org, auth, logic: { source: {}, event: {}, api_username: 'x' } },
    'logic.functions:execute',
  ],
  ['createLogicFunction', { ...orgLogic, logicFunction: {} }, 'logic.functions:create'],
  ['getLogicFunction', orgLogic, 'logic.functions:get'],
  ['updateLogicFunction', { ...orgLogic, logicFunction: {} }, 'logic.functions:update'],
  ['deleteLogicFunction', orgLogic, 'logic.functions:remove'],
  ['listLogicFunctions', { ...orgLogic, todayStats: true }, 'logic.functions:list'],
  ['listLogicRuns', orgLogic, 'logic.runs:list'],
  ['getLogicRun', orgLogic, 'logic.runs:get'],
  ['getLogicRunLogs', orgLogic, 'logic.logs:list'],
  ['createLedger', { ...orgLedger, ledger: {} }, 'ledger.definitions:create'],
  ['getLedger', orgLedger, 'ledger.definitions:get'],
  ['updateLedger', { ...orgLedger, ledger: {} }, 'ledger.definitions:update'],
  ['archiveLedger', orgLedger, 'ledger.definitions:archive'],
  [
    'listLedgers',
    { ...orgLedger, scope: 'Device', page: 1, perPage: 2, archived: false },
    'ledger.definitions:list',
  ],
  ['getLedgerInstance', orgLedger, 'ledger.instances:get'],
  ['setLedgerInstance', { ...orgLedger, instance: {}, setMode: 'Merge' }, 'ledger.instances:set'],
  ['deleteLedgerInstance', orgLedger, 'ledger.instances:remove'],
  ['listLedgerInstances', { ...orgLedger, page: 1, perPage: 2 }, 'ledger.instances:list'],
  [
    'listLedgerInstanceVersions',
    { ...orgLedger, replacedBefore: 'a', replacedAfter: 'b' },
    'ledger.instances.versions:list',
  ],
  ['getLedgerInstanceVersion', { ...orgLedger, version: 'v1' }, 'ledger.instances.versions:get'],
  ['listEnvVars', at, 'env:get'],
  ['listEnvVars', own, 'devices.env:get'],
  ['listEnvVars', { sandbox: true, auth }, 'refused'],
  ['updateEnvVars', { ...own, ops: [] }, 'devices.env:update'],
  ['setEnvVar', { org, auth, key: 'A', value: 'b' }, 'env:update'],
  ['deleteEnvVar', { ...own, key: 'A' }, 'devices.env:update'],
  ['renderEnvVars', own, 'devices.env:get'],
  ['reviewEnvVarsRollout', at, 'env:get'],
  ['startEnvVarsRollout', { ...own, when: 'now' }, 'devices.env:rollout'],
]

describe('particle-api-js against the Particle catalog', () => {
  it.each(calls)('%s %j means %s', async (name, given, expected) => {
    const [sent, ...more] = await sentBy(name, given)
    if (sent === undefined) throw new Error(`${name} sent nothing`)
    expect(more).toEqual([])
    const method = (sent.method ?? 'get').toUpperCase()
    const [path = ''] = sent.uri.split('?')
    const found = table.match(method, path.slice(1).split('/').map(decodeURIComponent))
    if (found.kind !== 'route') throw new Error(`${method} ${path}: ${found.kind}`)
    const { route } = found
    if (route.kind.kind !== 'upstream') {
      expect(route.kind.kind).toBe(expected)
      return
    }
    const contentType = contentTypeOf(sent)
    const body = present(sent.data ?? sent.form)
    const accept = sent.headers?.['accept'] ?? sent.headers?.['Accept']
    const deeds = deedsAsked(route, {
      body,
      files: partsOf(sent),
      ...(contentType !== undefined && { contentType }),
      ...(accept !== undefined && { accept }),
    })
    expect(deeds.map(({ action }) => action).join(' ')).toBe(expected)
    expect(present(sent.query).filter((key) => !route.query.has(key))).toEqual([])
    expect(body.filter((key) => !takesKey(route.body, key, contentType))).toEqual([])
    expect(partsOf(sent).filter((part) => !takesFile(route.body, part))).toEqual([])
  })

  it('covers every method that talks to the cloud, but for those about the account', () => {
    const tried = new Set(calls.map(([name]) => name))
    const account =
      /^(sendOtp|confirmMfa|disableMfa|createCustomer|loginAsClientOwner|createUser|resetPassword|deleteAccessToken|trackingIdentity|setUserInfo|changeUsername|changeUserPassword|sendPublicKey|getLibrary|getLibraryVersions|contributeLibrary|publishLibrary|deleteLibrary|updateDevice)$/
    const helpers =
      /^(constructor|setContext|setDefaultAuth|setBaseUrl|deviceUri|get|head|post|put|patch|delete|request|client|downloadFile|getEventStream)$/
    const left = Object.getOwnPropertyNames(Particle.prototype).filter(
      (name) =>
        !name.startsWith('_') && !tried.has(name) && !account.test(name) && !helpers.test(name),
    )
    expect(left).toEqual([])
  })
})

/** The requests one call makes, taken where the client hands them to its transport. */
async function sentBy(name: string, given: Record<string, unknown>): Promise<Call[]> {
  const sent: Call[] = []
  const take = (method?: string) => (call: Call) => {
    sent.push(method === undefined ? call : { ...call, method })
    return Promise.resolve({ body: {}, statusCode: 200 })
  }
  const client = new Particle({ clientId: 'a', clientSecret: 'b' })
  const verbs = ['get', 'head', 'post', 'put', 'patch', 'delete']
  Reflect.set(client, 'agent', {
    request: take(),
    ...Object.fromEntries(verbs.map((verb) => [verb, take(verb)])),
  })
  const method: unknown = Reflect.get(client, name)
  if (typeof method !== 'function') throw new Error(`no method ${name}`)
  await method.call(client, given)
  return sent
}

function contentTypeOf({ files, form, data, headers }: Call): string | undefined {
  if (files !== undefined) return 'multipart/form-data'
  if (form !== undefined) return 'application/x-www-form-urlencoded'
  return data === undefined ? headers?.['content-type'] : 'application/json'
}

/** Undefined values never reach the wire. */
function present(keys: Record<string, unknown> | undefined): string[] {
  return Object.entries(keys ?? {}).flatMap(([key, value]) => (value === undefined ? [] : [key]))
}

/** The client names its parts `file`, `file2`, … whatever the caller calls them. */
function partsOf({ files = {} }: Call): string[] {
  return Object.keys(files).map((_, i) => (i === 0 ? 'file' : `file${i + 1}`))
}
