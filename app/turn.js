// The avatar, turned by dragging, with fingers or with the arrow keys; once it rests, the radiance field's picture of that
// view is laid over it. Gradio runs this as a function body once the component exists (gr.HTML's js_on_load), with
// `element`, `props`, `trigger` and `watch`. `props.value` is null or {name, model: {url}, seen: {url},
// camera: {target, theta, phi, radius, fov}, picture?: {url}, view?}. Resting triggers the event "input" with
// {name, view, theta, phi, radius, fov, target, aspect}, which `show_rest` of avatar_callbacks.py answers with a picture.

const REST_MS = 300
const NO_VIEWER = 'This browser does not show 3D graphics: use the sliders instead.'

element.innerHTML = `
    <div class="turn" hidden>
        <img class="rest" alt="" hidden>
        <button type="button" class="seen" aria-pressed="false">Seen / invented</button>
    </div>
    <p class="state" role="status"></p>`
const [box, rest, seen, state] = ['.turn', '.rest', '.seen', '.state'].map((part) => element.querySelector(part))
let viewer = null
let shown = {} // the value whose model is shown
let view = 0 // number of the view that was last looked from
let timer = null
let isHeld = false // by a pointer: it does not rest then

async function createViewer() {
    if (viewer) return viewer
    await import(new URL('sherf/model-viewer.min.js', document.baseURI))
    viewer = document.createElement('model-viewer')
    const attributes = {
        'camera-controls': '', 'touch-action': 'pan-y', 'interaction-prompt': 'none', 'tone-mapping': 'none',
        'shadow-intensity': '0', 'min-field-of-view': '4deg', 'max-field-of-view': '60deg', 'disable-pan': '',
        'interpolation-decay': '60', alt: 'The avatar: drag it, or use the arrow keys',
    }
    for (const [name, value] of Object.entries(attributes)) viewer.setAttribute(name, value)
    viewer.addEventListener('camera-change', (event) => {
        if (event.detail.source === 'user-interaction') moved()
    })
    viewer.addEventListener('pointerdown', () => (isHeld = true), { capture: true })
    for (const end of ['pointerup', 'pointercancel']) document.addEventListener(end, release, { capture: true })
    viewer.addEventListener('load', () => {
        state.textContent = ''
        paint()
        moved()
    })
    viewer.addEventListener('error', () => (state.textContent = NO_VIEWER))
    box.prepend(viewer)
    return viewer
}

function moved() {
    view += 1
    rest.hidden = true
    wait()
}

function wait() {
    clearTimeout(timer)
    if (!isHeld) timer = setTimeout(ask, REST_MS)
}

function release() {
    if (!isHeld) return
    isHeld = false
    if (rest.hidden) wait()
}

function ask() {
    if (seen.ariaPressed === 'true' || !viewer.clientHeight) return
    const orbit = viewer.getCameraOrbit()
    const target = viewer.getCameraTarget()
    trigger('input', {
        name: shown.name, view, theta: orbit.theta, phi: orbit.phi, radius: orbit.radius,
        fov: viewer.getFieldOfView(), target: [target.x, target.y, target.z],
        aspect: viewer.clientWidth / viewer.clientHeight,
    })
}

// Shows the texture that the button selects.
async function paint() {
    const material = viewer?.model?.materials[0]
    if (!material) return
    const texture = material.pbrMetallicRoughness.baseColorTexture
    viewer.colours ??= texture.texture
    if (seen.ariaPressed === 'true') {
        viewer.seenTexture ??= await viewer.createTexture(shown.seen.url)
        texture.setTexture(viewer.seenTexture)
    } else texture.setTexture(viewer.colours)
}

async function draw() {
    const value = props.value
    if (!value) {
        box.hidden = true
        state.textContent = ''
        shown = {}
        return
    }
    if (value.model.url !== shown.model?.url) {
        const isNew = value.name !== shown.name
        shown = value
        try {
            await createViewer()
        } catch {
            state.textContent = NO_VIEWER
            return
        }
        viewer.colours = viewer.seenTexture = undefined
        if (isNew) {
            const { target, theta, phi, radius, fov } = value.camera
            viewer.cameraTarget = target.map((x) => `${x}m`).join(' ')
            viewer.cameraOrbit = `${theta}rad ${phi}rad ${radius}m`
            viewer.minCameraOrbit = `auto auto ${radius}m`
            viewer.maxCameraOrbit = `auto auto ${radius}m`
            viewer.fieldOfView = `${fov}deg`
            rest.hidden = true
        }
        viewer.src = value.model.url
        box.hidden = false
        if (isNew) viewer.jumpCameraToGoal()
    }
    if (!value.picture) return
    if (value.view !== view) wait() // it was turned on meanwhile
    else if (seen.ariaPressed === 'false') {
        rest.onload = () => (rest.hidden = value.view !== view)
        rest.src = value.picture.url
    }
}

seen.onclick = () => {
    seen.ariaPressed = String(seen.ariaPressed !== 'true')
    rest.hidden = true
    paint()
    if (seen.ariaPressed === 'false') moved()
}
watch('value', draw)
draw()
