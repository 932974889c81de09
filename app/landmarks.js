// The photo with a draggable dot for each landmark. Gradio runs this as a function body once the component exists
// (gr.HTML's js_on_load), with `element`, `props`, `trigger` and `watch`. `props.value` is
// {photo: {url}, fit, size: [width, height], landmarks: [{name, detected: [x, y], visible, position?: [x, y] or null}]} in
// pixels of the photo. Each change triggers the event "input" with {fit, name, position?}, which `move_landmark` of
// photo_callbacks.py reads.

const DRAG_THRESHOLD = 3 // CSS pixels; shorter movements of a finger are taps
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
const SHIFT_FACTOR = 10 // times an arrow key's step
const ZOOM_FACTOR = 1.5
const MAX_ZOOM = 6
const DESCRIPTIONS = { detected: 'detected', moved: 'moved', hidden: 'not visible' }

element.innerHTML = `
    <div class="window" hidden>
        <div class="stage" role="group" aria-label="Body landmarks">
            <img alt="Photo with the body's landmarks" draggable="false">
        </div>
    </div>
    <div class="tools" hidden>
        <output aria-live="polite">Select a point.</output>
        <button type="button" class="hide" disabled>Not visible</button>
        <button type="button" class="reset" disabled>Reset point</button>
        <button type="button" class="zoom-in">Zoom in</button>
        <button type="button" class="zoom-out">Zoom out</button>
    </div>`
const parts = ['.window', '.stage', 'img', 'output', '.hide', '.reset', '.zoom-in', '.zoom-out']
const [view, stage, photo, status, hide, reset, zoomIn, zoomOut] = parts.map((part) => element.querySelector(part))
const dots = new Map() // name -> {landmark, button}
let size = [1, 1]
let zoom = 1
let selected = null // a landmark
let drag = null // of the pointer that last went down on a dot
let pending = null // a landmark that was moved but not sent yet

const isHidden = (landmark) => landmark.position === null || !(landmark.position || landmark.visible)
const stateOf = (landmark) => (isHidden(landmark) ? 'hidden' : landmark.position ? 'moved' : 'detected')
const pixelOf = (landmark) => landmark.position ?? landmark.detected
const displayName = (landmark) => landmark.name.replaceAll('_', ' ')

function draw() {
    const value = props.value
    if (!value) return
    size = value.size
    view.style.setProperty('--aspect', size[0] / size[1])
    if (photo.getAttribute('src') !== value.photo.url) photo.src = value.photo.url
    for (const landmark of value.landmarks) {
        const button = dots.get(landmark.name)?.button ?? addDot(landmark)
        dots.set(landmark.name, { landmark, button })
        show(landmark)
    }
    if (selected) select(dots.get(selected.name).landmark)
    element.querySelectorAll(':scope > [hidden]').forEach((part) => part.removeAttribute('hidden'))
}

function addDot(landmark) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'dot'
    button.dataset.name = landmark.name
    button.ariaLabel = displayName(landmark)
    return stage.appendChild(button)
}

function show(landmark) {
    const { button } = dots.get(landmark.name)
    const [x, y] = pixelOf(landmark)
    const description = DESCRIPTIONS[stateOf(landmark)]
    button.style.left = `${(100 * x) / size[0]}%`
    button.style.top = `${(100 * y) / size[1]}%`
    button.dataset.state = stateOf(landmark)
    button.setAttribute('aria-description', description)
    if (landmark === selected) status.textContent = `${displayName(landmark)}: ${description}`
}

function select(landmark) {
    selected = landmark
    dots.forEach(({ button }, name) => (button.ariaPressed = String(name === landmark.name)))
    hide.disabled = reset.disabled = false
    show(landmark)
}

function move(landmark, position) {
    landmark.position = position.map((x, axis) => Math.round(10 * Math.min(Math.max(x, 0), size[axis])) / 10)
    pending = landmark
    show(landmark)
}

function send(landmark) {
    pending = null
    const { name, position } = landmark
    const { fit } = props.value
    trigger('input', 'position' in landmark ? { fit, name, position } : { fit, name })
}

const sendPending = () => pending && send(pending)

function photoPixel(event) {
    const box = stage.getBoundingClientRect()
    return [((event.clientX - box.left) * size[0]) / box.width, ((event.clientY - box.top) * size[1]) / box.height]
}

function nearestDot(pixel) {
    const distance = ({ landmark }) => Math.hypot(...pixel.map((x, axis) => x - pixelOf(landmark)[axis]))
    return [...dots.values()].reduce((best, other) => (distance(other) < distance(best) ? other : best))
}

stage.addEventListener('pointerdown', (event) => {
    if (!event.isPrimary || event.button) return
    drag = null
    if (!event.target.closest('.dot')) return
    event.preventDefault() // neither move the focus nor select text
    const [x, y] = photoPixel(event)
    const { landmark, button } = nearestDot([x, y])
    select(landmark)
    button.focus({ preventScroll: true })
    const [dotX, dotY] = pixelOf(landmark)
    drag = {
        landmark,
        before: { ...landmark },
        offset: [dotX - x, dotY - y],
        start: [event.clientX, event.clientY],
        active: true,
    }
    stage.setPointerCapture(event.pointerId)
})
stage.addEventListener('pointermove', (event) => {
    if (!drag?.active) return
    const [x, y] = drag.start
    drag.moved ||= Math.hypot(event.clientX - x, event.clientY - y) > DRAG_THRESHOLD
    if (drag.moved) move(drag.landmark, photoPixel(event).map((pixel, axis) => pixel + drag.offset[axis]))
})
stage.addEventListener('pointerup', () => {
    if (drag) drag.active = false
    sendPending()
})
stage.addEventListener('pointercancel', () => {
    if (!drag?.active) return
    pending = null
    delete drag.landmark.position
    show(Object.assign(drag.landmark, drag.before))
    drag = null
})
stage.addEventListener('click', (event) => {
    if (drag || !selected || event.target.closest('.dot')) return
    move(selected, photoPixel(event))
    sendPending()
})
stage.addEventListener('focusin', (event) => select(dots.get(event.target.dataset.name).landmark))
stage.addEventListener('focusout', sendPending)
stage.addEventListener('keydown', (event) => {
    const step = STEPS[event.key]
    if (event.key === 'Delete' || event.key === 'Backspace') hide.click()
    if (!step || !selected) return
    event.preventDefault()
    const pixels = (size[0] / stage.clientWidth) * (event.shiftKey ? SHIFT_FACTOR : 1)
    move(selected, pixelOf(selected).map((x, axis) => x + pixels * step[axis]))
})
stage.addEventListener('keyup', sendPending)
hide.addEventListener('click', () => {
    selected.position = null
    show(selected)
    send(selected)
})
reset.addEventListener('click', () => {
    delete selected.position
    show(selected)
    send(selected)
})

function zoomBy(factor) {
    zoom = Math.min(Math.max(factor * zoom, 1), MAX_ZOOM)
    stage.style.setProperty('--zoom', zoom)
    const centre = selected ? pixelOf(selected) : size.map((side) => side / 2)
    const [x, y] = [stage.clientWidth, stage.clientHeight].map((length, axis) => (centre[axis] / size[axis]) * length)
    view.scrollTo(x - view.clientWidth / 2, y - view.clientHeight / 2)
}

zoomIn.addEventListener('click', () => zoomBy(ZOOM_FACTOR))
zoomOut.addEventListener('click', () => zoomBy(1 / ZOOM_FACTOR))
watch('value', draw)
draw()
