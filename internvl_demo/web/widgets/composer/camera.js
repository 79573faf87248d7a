// A picture from the camera: a dialog with its view where the browser lets a page see it, else the phone's own
// camera through a file field. The camera is on only while the dialog is open.
import { button, make } from '../lib/dom.js'
import { words } from '../lib/words.js'

const QUALITY = 0.92

export function makeCamera(deliver) {
  const field = make('input', { type: 'file', accept: 'image/*', capture: 'environment', hidden: true, tabindex: '-1', 'aria-hidden': 'true' })
  const view = make('video', { playsinline: true, muted: true, 'aria-label': words('tray_camera') })
  view.muted = true
  const status = make('p', { role: 'status' })
  const take = button({ class: 'act main take' }, shoot, words('tray_take'))
  const turn = button({ class: 'act switch', hidden: true }, () => {
    facing = facing === 'environment' ? 'user' : 'environment'
    start()
  }, words('tray_switch'))
  const cancel = button({ class: 'act cancel' }, () => dialog.close(), words('tray_cancel'))
  const choose = button({ class: 'act choose' }, () => {
    dialog.close()
    field.click()
  }, words('tray_choose'))
  const dialog = make('dialog', { class: 'camera', 'aria-label': words('tray_camera') },
    make('div', { class: 'view' }, view, status), make('div', { class: 'buttons' }, take, turn, choose, cancel))
  let facing = 'environment'
  let shots = 0
  let stream = null
  let asking = 0 // an answer to an older question comes too late

  const stop = (old) => old?.getTracks().forEach((track) => track.stop())

  function halt() {
    asking++
    stop(stream)
    stream = view.srcObject = null
    take.disabled = true
  }

  function tell(text) {
    status.textContent = text
    status.hidden = !text
  }

  async function start() {
    halt()
    const mine = asking
    tell(words('tray_camera_wait'))
    try {
      const video = { facingMode: { ideal: facing }, width: { ideal: 3840 }, height: { ideal: 2160 } }
      const fresh = await navigator.mediaDevices.getUserMedia({ audio: false, video })
      if (mine !== asking) return stop(fresh)
      stream = view.srcObject = fresh
      fresh.getVideoTracks()[0].addEventListener('ended', () => { if (mine === asking) fail(words('tray_camera_busy')) })
      await view.play()
      view.parentNode.style.aspectRatio = `${view.videoWidth} / ${view.videoHeight}`
      const devices = await navigator.mediaDevices.enumerateDevices()
      if (mine !== asking) return
      turn.hidden = devices.filter((device) => device.kind === 'videoinput').length < 2
      take.disabled = false
      tell('')
      take.focus()
    } catch (error) {
      if (mine === asking) fail(reason(error.name))
    }
  }

  function fail(text) {
    halt()
    tell(text)
    choose.focus()
  }

  function reason(name) {
    if (name === 'NotAllowedError' || name === 'SecurityError') return words('tray_camera_refused')
    return name === 'NotFoundError' || name === 'OverconstrainedError' ? words('tray_camera_none') : words('tray_camera_busy')
  }

  function shoot() {
    const canvas = make('canvas', { width: view.videoWidth, height: view.videoHeight })
    canvas.getContext('2d').drawImage(view, 0, 0)
    canvas.toBlob((blob) => {
      if (blob) deliver([new File([blob], `camera-${++shots}.jpg`, { type: 'image/jpeg' })])
      dialog.close()
    }, 'image/jpeg', QUALITY)
  }

  function open() {
    if (!navigator.mediaDevices?.getUserMedia) return field.click() // an old browser, or a page without https
    dialog.showModal()
    start()
  }

  dialog.addEventListener('close', halt)
  field.addEventListener('change', () => {
    if (field.files.length) deliver([...field.files])
    field.value = ''
  })

  return { open, nodes: [dialog, field] }
}
