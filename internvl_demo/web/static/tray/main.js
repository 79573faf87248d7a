// The tray: the pictures that wait in the composer as chips, and other ways to add one. The value is plain data
// from `web/tray.py`, whose opening describes it; what a person does goes to Python as the events 'act' and
// 'fetch', and only the next value shows what came of it.
Object.assign(ICONS, {
  camera: 'M2 5h3l1.2-2h3.6L11 5h3v8H2zM8 6.5a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 0 0 0-4.6',
  address: 'M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.3-2.3a2.6 2.6 0 0 0-3.7-3.7L8 4.3M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.2 9.1a2.6 2.6 0 0 0 3.7 3.7L8 11.7',
})
const FETCH_MS = 40_000 // longer than the server tries

function makeTray(root, words, signal) {
  const chips = new Map() // picture -> its chip
  let value = null
  let announce = null // what to say of the next value
  let waiting = 0 // the timer of a picture that is being fetched

  const list = make('ol', { class: 'chips', 'aria-label': words.images })
  const total = make('div', { class: 'total' })
  const trouble = make('div', { class: 'trouble' })
  const counts = make('div', { id: 'token-count' }, list, trouble, total)
  const fetching = make('div', { class: 'fetching', role: 'status' })
  const live = make('div', { class: 'unseen', 'aria-live': 'polite' })
  const camera = makeCamera(words, deliver)
  const address = makeAddress(words, fetchFrom)
  const mention = makeMention(words, () => [...(value?.before ?? []), ...(value?.chips ?? [])], signal)
  const tools = make('div', { class: 'tools' },
    button({ class: 'tool open-camera' }, camera.open, icon('camera'), make('span', {}, words.camera)),
    button({ class: 'tool open-address' }, address.open, icon('address'), make('span', {}, words.address)))
  root.replaceChildren(counts, make('div', { class: 'more' }, tools, fetching), live, mention.list, ...camera.nodes, ...address.nodes)
  const drag = makeDrag(list, (node, to) => act({ do: 'move', ...chipOf(node).deed(), to }), signal)

  const chipOf = (node) => [...chips.values()].find((chip) => chip.node === node)

  function act(deed) {
    const chip = value.chips[deed.at]
    if (deed.do === 'move') announce = (fresh) => fill(words.now, { name: chip.name || chip.caption, image: fresh.chips[deed.to]?.caption ?? '' })
    if (deed.do === 'remove') announce = () => fill(words.removed, { image: chip.caption })
    trigger('act', deed)
  }

  // Files of our own take the composer's road, through its own file field.
  function deliver(files) {
    const field = document.querySelector('#composer input[type=file]')
    if (!field) return
    const data = new DataTransfer()
    for (const file of files) data.items.add(file)
    field.files = data.files
    field.dispatchEvent(new Event('change', { bubbles: true }))
  }

  function fetchFrom(url) {
    clearTimeout(waiting)
    waiting = setTimeout(arrived, FETCH_MS)
    let host = url
    try { host = new URL(url).host || url } catch { /* the server tells what is wrong with it */ }
    fetching.replaceChildren(make('i', { class: 'spinner' }), make('span', {}, fill(words.fetching, { host })))
    show(props.value = { ...value, problem: null }) // so that the same problem again is news
    trigger('fetch', { do: 'fetch', url })
  }

  function arrived() {
    clearTimeout(waiting)
    waiting = 0
    fetching.replaceChildren()
  }

  // The same picture twice is two chips.
  function keysOf(images) {
    const seen = new Map()
    return images.map(({ id }) => {
      seen.set(id, (seen.get(id) ?? 0) + 1)
      return `${id} ${seen.get(id)}`
    })
  }

  function order(keys) {
    const focused = root.contains(document.activeElement) ? document.activeElement : null
    const place = [...list.children].findIndex((node) => node.contains(focused))
    for (const [key, chip] of chips) {
      if (keys.includes(key)) continue
      chip.node.remove()
      chips.delete(key)
    }
    keys.forEach((key, index) => {
      if (!chips.has(key)) chips.set(key, makeChip(words, act))
      const { node } = chips.get(key)
      if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null)
    })
    if (!focused || document.activeElement === focused) return
    if (root.contains(focused)) return focused.focus({ preventScroll: true })
    const next = [...chips.values()].find((chip) => chip.node === list.children[Math.min(place, keys.length - 1)])
    ;(next?.remove ?? document.querySelector('#composer textarea'))?.focus({ preventScroll: true })
  }

  function show(fresh) {
    const before = value
    value = fresh
    const keys = keysOf(fresh.chips)
    if (before && String(keys) !== String(keysOf(before.chips))) drag.end(false)
    order(keys)
    keys.forEach((key, index) => chips.get(key).update(fresh.chips[index], index, keys.length, fresh.most))
    list.hidden = !keys.length
    total.textContent = fresh.total
    warn(fresh.problem)
    if (waiting && (fresh.problem || fresh.chips.length > before.chips.length)) arrived()
    live.textContent = announce?.(fresh) ?? ''
    announce = null
    mention.refresh()
  }

  function warn(problem) {
    const text = problem ? `${problem.what} ${problem.next_step}` : ''
    if (trouble.textContent === text) return
    trouble.replaceChildren(...(text ? [make('div', { class: 'problem', role: 'alert' }, text)] : []))
  }

  return { show }
}

const root = element.querySelector('.widget')
const languages = props.value.words
let life = null
let tray = null
let chinese = null

// In the page's language, which a person may change.
function begin() {
  if (chinese === isChinese()) return
  chinese = isChinese()
  life?.abort()
  life = new AbortController()
  tray = makeTray(root, chinese ? languages.zh : languages.en, life.signal)
  tray.show(props.value)
}

new MutationObserver(begin).observe(document.documentElement, { attributeFilter: ['data-language'] })
watch('value', () => {
  tray.show(props.value)
  try {
    sessionStorage.setItem('internvl-draft', JSON.stringify(props.value.chips))
  } catch { /* forbidden */ }
})
begin()
