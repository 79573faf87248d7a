// What can be done with a message: small buttons under it, the box in which a question is edited, and the dialog with
// the versions of an answer side by side.
import { button, icon, isComposing, make, onEnter, set } from '../lib/dom.js'
import { choose, edit } from '../lib/page.js'
import { splitRegions } from '../lib/regions.js'
import { words } from '../lib/words.js'
import { receiptText } from './receipts.js'

// name: of the icon and of the action; key: of its name in the table.
export function act(name, key, then) {
  const node = button({ class: 'turn-act', 'data-act': name }, then, icon(name))
  const relabel = () => set(node, { 'aria-label': words(key), title: words(key) })
  relabel()
  return { node, relabel }
}

const refused = new Map() // the id of a question -> what was typed in its place, and the server did not take

// Edits a question in its place. What is typed there stays when the server refuses it, and while an answer comes.
export function makeEditor(message, opener) {
  let question = null
  let open = false
  const note = make('p')
  const area = make('textarea', { dir: 'auto' })
  const submit = make('button', { type: 'submit', class: 'main' })
  const cancel = button({}, leave)
  const form = make('form', { class: 'turn-edit' }, note, area, make('div', {}, submit, cancel))

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (!area.value.trim() || submit.disabled) return
    submit.disabled = true
    const text = area.value
    close()
    const places = question.text.slice(splitRegions(question.text).text.length) // stay with it
    area.value = ''
    const { id } = question
    refused.set(id, text)
    if (await edit(id, text.trim() + places)) refused.delete(id)
    submit.disabled = false
  })
  form.addEventListener('keydown', (event) => {
    event.stopPropagation()
    if (event.key === 'Escape' && !isComposing(event)) leave()
  })
  onEnter(area, () => form.requestSubmit())

  function leave() {
    refused.delete(question.id)
    area.value = ''
    close()
    opener.focus()
  }

  function close() {
    open = false
    form.remove()
  }

  function show(fresh, possible) {
    question = fresh
    if (open && possible !== form.isConnected) possible ? message.append(form) : form.remove()
  }

  function relabel() {
    note.textContent = words('turns_edit_note')
    area.setAttribute('aria-label', words('turns_edit'))
    submit.textContent = words('turns_edit_send')
    cancel.textContent = words('turns_edit_leave')
  }

  relabel()
  return {
    show,
    relabel,
    open(fresh) {
      if (!open) {
        open = true
        area.value ||= refused.get(fresh.id) ?? splitRegions(fresh.text).text
        area.rows = Math.min(8, area.value.split('\n').length + 1)
        message.append(form)
      }
      area.focus()
    },
  }
}

// All versions side by side; one of them is chosen to continue from.
export function compare(all, chosen, opener) {
  const dialog = make('dialog', { class: 'turn-versions', 'aria-label': words('turns_beside') })
  const close = button({ class: 'turn-close', 'aria-label': words('close') }, () => dialog.close(), '×')
  const columns = all.map((version, index) => make('section', { 'aria-current': index === chosen ? 'true' : null },
    make('h3', {}, `${index + 1}/${all.length}`),
    make('p', { class: 'said', dir: 'auto' }, version.text),
    make('p', { class: 'note' }, receiptText(version, { whole: false, again: index > 0 })),
    button({ class: 'turn-choose', disabled: index === chosen }, () => { dialog.close(); choose(version.id) },
      words(index === chosen ? 'turns_chosen' : 'turns_choose'))))
  dialog.append(make('header', {}, make('h2', {}, words('turns_beside')), close), make('div', { class: 'columns' }, ...columns))
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close() }) // beside it
  dialog.addEventListener('close', () => {
    dialog.remove()
    opener.focus()
  })
  opener.closest('.widget').append(dialog) // where the page's colours hold
  dialog.showModal()
}
