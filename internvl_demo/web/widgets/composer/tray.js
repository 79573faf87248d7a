// The tray: the pictures that wait in the composer as chips, those that are on their way, and what they cost.
import { cutText, planOf } from '../lib/cut.js'
import { tokensText } from '../lib/tiles.js'
import { button, icon, make } from '../lib/dom.js'
import { changeChip, focusComposer, imagesOf, on, page, places, removePlace } from '../lib/page.js'
import { sentences, words } from '../lib/words.js'
import { makeChip, makeDrag, noteText } from './chips.js'
import { makeMention } from './mention.js'

// Until `signal` says stop, for another language.
export function makeTray(root, signal) {
  const chips = new Map() // 'photo id, how manieth of it' -> chip
  let announce = null // what to say of the next state

  const list = make('ol', { class: 'chips', 'aria-label': words('tray_images') })
  const regions = make('ol', { class: 'places', hidden: true, 'aria-label': words('tray_places') })
  const counts = make('div', { id: 'token-count' }, list, regions)
  const notes = make('div', { class: 'notes', role: 'status' })
  const spinner = make('i', { class: 'spinner', hidden: true })
  const fetching = make('span')
  const waiting = make('div', { class: 'fetching', role: 'status' }, spinner, fetching)
  const live = make('div', { class: 'unseen', 'aria-live': 'polite' })
  const mention = makeMention(images, signal)
  root.replaceChildren(counts, notes, waiting, live, mention.list)
  const drag = makeDrag(list, (node, to) => act({ do: 'move', ...chipOf(node).named(), to }), signal)

  const chipOf = (node) => [...chips.values()].find((chip) => chip.node === node)
  const numberAt = (place) => imagesOf(page.conversation).length + place + 1
  const captionAt = (place) => `Image-${numberAt(place)}`

  // What `@` can name: the conversation's images, then those that wait.
  function images() {
    const waits = page.draft.chips.map(({ photo }) => photo)
    return [...imagesOf(page.conversation), ...waits].map(({ name, url }, index) => ({ caption: `Image-${index + 1}`, name, url }))
  }

  function act(action) {
    const { photo } = page.draft.chips[action.at]
    if (action.do === 'move') announce = words('tray_now', { name: photo.name || captionAt(action.at), image: captionAt(action.to) })
    if (action.do === 'remove') announce = words('tray_removed', { image: captionAt(action.at) })
    changeChip(action)
  }

  // The same picture twice is two chips.
  function keysOf(draft) {
    const seen = new Map()
    return draft.map(({ photo: { id } }) => {
      seen.set(id, (seen.get(id) ?? 0) + 1)
      return `${id} ${seen.get(id)}`
    })
  }

  function arrange(keys) {
    const focused = root.contains(document.activeElement) ? document.activeElement : null
    const place = [...list.children].findIndex((node) => node.contains(focused))
    const open = [...chips.values()].find(({ popup }) => popup.isOpen())
    for (const [key, chip] of chips) {
      if (keys.includes(key)) continue
      chip.node.remove()
      chips.delete(key)
    }
    keys.forEach((key, index) => {
      if (!chips.has(key)) chips.set(key, makeChip(act))
      const { node } = chips.get(key)
      if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null)
    })
    if (open?.node.isConnected) open.popup.open() // a node that changes its place closes what is open in it
    if (!focused || document.activeElement === focused) return
    if (root.contains(focused)) return focused.focus({ preventScroll: true })
    const next = chipOf(list.children[Math.min(place, keys.length - 1)])
    if (next) next.remove.focus({ preventScroll: true })
    else focusComposer()
  }

  let before = ''
  function draw() {
    const { chips: draft } = page.draft
    const keys = keysOf(draft)
    if (String(keys) !== before) drag.end(false)
    before = String(keys)
    arrange(keys)
    const plans = draft.map(({ photo, max_tiles }) => planOf(photo, max_tiles ?? page.mode))
    keys.forEach((key, index) => {
      const chip = { ...draft[index], number: numberAt(index), caption: captionAt(index), cost: costText(draft[index].photo, plans[index]), grid: plans[index]?.grid ?? null }
      chips.get(key).update(chip, index, keys.length, page.mode)
    })
    list.hidden = !keys.length
    drawPlaces()
    const noted = sentences(...draft.map(({ photo }) => noteText(photo)))
    if (notes.textContent !== noted) notes.textContent = noted
    wait()
    if (announce !== null) live.textContent = announce
    announce = null
    mention.refresh()
  }

  // Regions that the question is about.
  let drawn = '[]'
  function drawPlaces() {
    const there = places()
    const now = JSON.stringify(there)
    if (now === drawn) return
    drawn = now
    regions.hidden = !there.length
    regions.replaceChildren(...there.map(({ image, box_1000 }, index) => {
      const text = words('viewer_region', { image: `Image-${image}`, box: box_1000.join(', ') })
      const remove = button({ class: 'remove', 'aria-label': words('tray_remove', { image: text }) }, () => { removePlace(index); focusComposer() }, icon('remove'))
      return make('li', { class: 'place' }, icon('region'), make('span', {}, text), remove)
    }))
  }

  function costText({ size_wh: [width, height] }, plan) {
    if (!page.model) return ''
    if (!plan) return `${width} × ${height} px → ${cutText(plan)}`
    return words('tray_cost', { width, height, tiles: cutText(plan), tokens: tokensText(plan.tokens) })
  }

  function wait() {
    const uploads = page.uploads - (page.fetching ? 1 : 0)
    const parts = []
    if (page.fetching) parts.push(words('tray_fetching', { host: page.fetching }))
    if (uploads > 0) parts.push(uploads === 1 ? words('tray_uploading') : words('tray_uploading_many', { count: uploads }))
    const text = sentences(...parts)
    if (fetching.textContent !== text) fetching.textContent = text
    spinner.hidden = !text
  }

  const endings = ['draft', 'conversation', 'model'].map((name) => on(name, draw))
  signal.addEventListener('abort', () => endings.forEach((end) => end()))
  draw()
}
