/** The simulator's own controls, for tests: what arrived, what is open, and a hand on the devices. */
import { Router } from 'express'
import { param } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { changeDevice } from '../controls.ts'
import { devicePayload } from '../payloads.ts'
import { failed } from '../refusals.ts'

export function simulatorRoutes({ world, hub, recorder, traffic, connections }: Context): Router {
  const router = Router()

  router.get('/_simulator/requests', (_request, response) => {
    response.json(recorder?.requests() ?? [])
  })

  router.delete('/_simulator/requests', (_request, response) => {
    recorder?.clear()
    traffic.clear()
    response.status(204).end()
  })

  router.get('/_simulator/counts', (_request, response) => {
    response.json(traffic.counts())
  })

  router.get('/_simulator/connections', async (_request, response) => {
    response.json({
      sockets: await connections(),
      streams: hub.openStreams,
      most_streams: hub.mostStreams,
    })
  })

  router.post('/_simulator/publish', (request, response) => {
    const { device: deviceText, product: productText, name, data } = bodyOf(request)
    if (typeof name !== 'string' || name === '') throw failed(400, 'Missing event name')
    const text = textOf(data) ?? null
    const device = world.deviceByIdOrName(textOf(deviceText) ?? '')
    const product = world.product(textOf(productText) ?? '')
    if (device) hub.fromDevice(device, name, text)
    else if (product) hub.fromApi(null, product, { name, data: text })
    else throw failed(404, 'No such device or product')
    response.json({ ok: true })
  })

  router.post('/_simulator/devices/:id', (request, response) => {
    const device = world.deviceByIdOrName(param(request, 'id'))
    if (!device) throw failed(404, 'No such device')
    const unknown = changeDevice({ world, hub }, device, bodyOf(request))
    if (unknown.length > 0) throw failed(400, `Unknown keys: ${unknown.join(', ')}`)
    response.json(devicePayload(device, 'product'))
  })

  return router
}
