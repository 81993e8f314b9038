/** What a cloud holds, as its own unfiltered answers say it; the oracle knows nothing else of a fleet. */

/** A device as the cloud's JSON has it. */
export type Item = Readonly<Record<string, unknown>>

export type Customer = Readonly<Record<string, unknown>>

export type WorldProduct = {
  id: string
  slug: string
  organization: string
  devices: readonly Item[]
  customers: readonly Customer[]
}

export type World = { products: readonly WorldProduct[] }

export function productOf(world: World, idOrSlug: string): WorldProduct | undefined {
  return world.products.find(({ id, slug }) => id === idOrSlug || slug === idOrSlug)
}

export function idOf(item: Item): string {
  return String(item['id'])
}

/** Reads the whole fleet with the cloud's own all-powerful token. */
export async function readWorld(cloud: { url: string; token: string }): Promise<World> {
  const { products } = await askCloud(cloud, '/v1/user/products')
  const found: WorldProduct[] = []
  for (const product of listOf(products)) {
    const id = String(product['id'])
    const customers = await readAll(cloud, `/v1/products/${id}/customers`, 'customers')
    found.push({
      id,
      slug: String(product['slug']),
      organization: String(product['organization_id']),
      devices: await readAll(cloud, `/v1/products/${id}/devices`, 'devices'),
      customers: customers.map(({ id: customer, username }) => ({ id: customer, username })),
    })
  }
  return { products: found }
}

/** All items of a list, page after page until one is empty. */
export async function readAll(
  cloud: { url: string; token: string },
  path: string,
  key: string,
): Promise<Item[]> {
  const all: Item[] = []
  for (let page = 1; ; page += 1) {
    const joint = path.includes('?') ? '&' : '?'
    const body = await askCloud(cloud, `${path}${joint}per_page=100&page=${page}`)
    const items = listOf(body[key])
    if (items.length === 0) return all
    all.push(...items)
  }
}

export async function askCloud(cloud: { url: string; token: string }, path: string): Promise<Item> {
  const answer = await fetch(cloud.url + path, {
    headers: { authorization: `Bearer ${cloud.token}` },
  })
  const body: unknown = await answer.json()
  if (!answer.ok || typeof body !== 'object' || body === null) {
    throw new Error(`the cloud answered ${answer.status} to ${path}`)
  }
  return { ...body }
}

export function listOf(value: unknown): Item[] {
  if (!Array.isArray(value)) throw new Error(`no list: ${JSON.stringify(value)}`)
  return value.map((each: unknown) => {
    if (typeof each !== 'object' || each === null) throw new Error('no object in a list')
    return { ...each }
  })
}
