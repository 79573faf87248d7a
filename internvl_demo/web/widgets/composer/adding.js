// The + button: ways to add a picture, in a menu.
import { button, icon, make } from '../lib/dom.js'
import { addAddress, addFiles } from '../lib/page.js'
import { makePopup } from '../lib/popup.js'
import { words } from '../lib/words.js'
import { makeAddress } from './address.js'
import { makeCamera } from './camera.js'

// choose(): opens the file dialog of the composer.
export function makeAdding(root, choose) {
  const camera = makeCamera(addFiles)
  const address = makeAddress(addAddress)
  const way = (name, drawn, key, act) => button({ class: `way ${name}` }, () => { popup.close(); act() }, icon(drawn), make('span', {}, words(key)))
  const plus = button({ class: 'plus', 'aria-label': words('composer_add'), title: words('composer_add') }, () => {}, icon('plus'))
  const popup = makePopup(plus, make('div', { class: 'menu', 'aria-label': words('composer_add') },
    way('open-files', 'file', 'tray_file', choose),
    way('open-camera', 'camera', 'tray_camera', camera.open),
    way('open-address', 'address', 'tray_address', address.open)))
  root.replaceChildren(plus, popup.panel, ...camera.nodes, ...address.nodes)
}
