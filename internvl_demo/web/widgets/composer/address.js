// A picture by its web address: a small dialog with one field. The server fetches it; here nothing is checked.
import { button, make, onEnter } from '../lib/dom.js'
import { words } from '../lib/words.js'

export function makeAddress(onFetch) {
  const field = make('input', {
    id: 'tray-url', name: 'url', type: 'text', inputmode: 'url', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    placeholder: 'https://example.org/cat.jpg', 'aria-describedby': 'tray-url-help', required: true,
  })
  const form = make('form', { novalidate: true },
    make('label', { for: 'tray-url' }, words('tray_address_label')), field,
    make('p', { id: 'tray-url-help' }, words('tray_address_help')),
    make('div', { class: 'buttons' },
      make('button', { type: 'submit', class: 'act main' }, words('tray_fetch')),
      button({ class: 'act cancel' }, () => dialog.close(), words('tray_cancel'))))
  const dialog = make('dialog', { class: 'address', 'aria-label': words('tray_address') }, form)

  onEnter(field, () => form.requestSubmit())
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const typed = field.value.trim()
    if (!typed) return field.focus()
    dialog.close()
    field.value = ''
    onFetch(/^[a-z][a-z\d+.-]*:/i.test(typed) ? typed : `https://${typed}`)
  })

  return { open: () => dialog.showModal(), nodes: [dialog] }
}
