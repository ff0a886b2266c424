#!/bin/sh
# Train a small ViT on the built-in set shapes, measure what it learned by
# k-NN, and write attention pictures, all into demo/.
set -eu
cd "$(dirname "$0")/../.."
begun=$(date +%s)
make --no-print-directory all
rm -rf demo
bin/dino-vk train --config cmd/demo/shapes.yaml --output demo
bin/dino-vk attention --checkpoint demo --data shapes:test:n=8 --output demo/attention
bin/dino-vk eval knn --checkpoint demo --train shapes:train:n=300 --test shapes:test:n=1000 --nb-knn 10 --nb-knn 20 --baselines --json demo/knn.json
knn() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" demo/knn.json; }
echo "demo: knn_raw=$(knn raw) knn_untrained=$(knn untrained) knn_trained=$(knn teacher) seconds=$(($(date +%s) - begun))"
