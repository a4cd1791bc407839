# Made by `python -m common.cli list --write`: a target for every method of every system.
.PHONY: darts darts2 snas pc-darts gdas detnas detnas-fpn nas-fpn efficientdet gan-compression pdnas graphnas evolution halving random dcnas darts-smoke darts2-smoke snas-smoke pc-darts-smoke gdas-smoke detnas-smoke detnas-fpn-smoke nas-fpn-smoke efficientdet-smoke gan-compression-smoke pdnas-smoke graphnas-smoke evolution-smoke halving-smoke random-smoke dcnas-smoke

darts: $(VENV)/.ready ## DARTS, first order, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train darts $(OPTIONS)

darts2: $(VENV)/.ready ## DARTS, second order, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train darts2 $(OPTIONS)

snas: $(VENV)/.ready ## SNAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train snas $(OPTIONS)

pc-darts: $(VENV)/.ready ## PC-DARTS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train pc-darts $(OPTIONS)

gdas: $(VENV)/.ready ## GDAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train gdas $(OPTIONS)

detnas: $(VENV)/.ready ## DetNAS, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train detnas $(OPTIONS)

detnas-fpn: $(VENV)/.ready ## DetNAS with NAS-FPN, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train detnas-fpn $(OPTIONS)

nas-fpn: $(VENV)/.ready ## NAS-FPN, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train nas-fpn $(OPTIONS)

efficientdet: $(VENV)/.ready ## EfficientDet, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train efficientdet $(OPTIONS)

gan-compression: $(VENV)/.ready ## GAN Compression, image-to-image translation (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m gan.train gan-compression $(OPTIONS)

pdnas: $(VENV)/.ready ## PDNAS, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train pdnas $(OPTIONS)

graphnas: $(VENV)/.ready ## GraphNAS, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train graphnas $(OPTIONS)

evolution: $(VENV)/.ready ## Aging evolution on graphs, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train evolution $(OPTIONS)

halving: $(VENV)/.ready ## Successive halving on graphs, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train halving $(OPTIONS)

random: $(VENV)/.ready ## Random search on graphs, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train random $(OPTIONS)

dcnas: $(VENV)/.ready ## DCNAS, semantic segmentation (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m segmentation.train dcnas $(OPTIONS)

darts-smoke darts2-smoke snas-smoke pc-darts-smoke gdas-smoke detnas-smoke detnas-fpn-smoke nas-fpn-smoke efficientdet-smoke gan-compression-smoke pdnas-smoke graphnas-smoke evolution-smoke halving-smoke random-smoke dcnas-smoke: RECIPE = smoke
darts-smoke darts2-smoke snas-smoke pc-darts-smoke gdas-smoke detnas-smoke detnas-fpn-smoke nas-fpn-smoke efficientdet-smoke gan-compression-smoke pdnas-smoke graphnas-smoke evolution-smoke halving-smoke random-smoke dcnas-smoke: %-smoke: %
