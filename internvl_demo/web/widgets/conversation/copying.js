// Copies text, and a button that does: it says so for a moment.
import { button, icon, set } from '../lib/dom.js'
import { words } from '../lib/words.js'

const COPIED_MS = 1500

export async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text)
  } catch { // not on https, or forbidden
    const area = document.createElement('textarea')
    area.className = 'unseen'
    area.value = text
    near.after(area)
    area.select()
    document.execCommand('copy')
    area.remove()
    near.focus({ preventScroll: true })
  }
}

// key: of its name in the table; text: gives what is copied.
export function copyButton(key, attributes, text) {
  let done = 0
  const node = button(attributes, async () => {
    await copyText(text(), node)
    clearTimeout(done)
    done = setTimeout(() => { done = 0; relabel() }, COPIED_MS)
    relabel()
  }, icon('copy'))

  function relabel() {
    const label = words(done ? 'copied' : key)
    node.classList.toggle('done', done > 0)
    set(node, { 'aria-label': label, title: label })
  }

  relabel()
  return { node, relabel }
}
